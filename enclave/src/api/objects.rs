//! The sealed objects that came with a request. Names are the host's word; contents prove
//! themselves when they are opened.

use std::collections::HashMap;

use signer_shared::{
    message::{Listing, MAX_OBJECTS, Object},
    object_name,
};

/// What came with a request.
#[derive(Debug, Default)]
pub struct Objects {
    given: HashMap<String, Option<Vec<u8>>>,
}

/// What is known of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    /// The host was not asked yet.
    Unknown,
    /// The host says that there is none.
    Absent,
    /// The host's bytes.
    Present(&'a [u8]),
}

/// Why objects are refused before they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectsError {
    /// More than [`MAX_OBJECTS`].
    #[error("more than {MAX_OBJECTS} objects")]
    TooMany,
    /// Not the name of an object.
    #[error("an object has a name that none can have")]
    Name,
    /// The same name twice.
    #[error("an object came twice")]
    Duplicate,
    /// Not the page that was asked for.
    #[error("a listing that is not in order, or not of its prefix")]
    Listing,
}

impl Objects {
    /// Checks names and numbers.
    pub fn new(objects: Vec<Object>) -> Result<Self, ObjectsError> {
        if objects.len() > MAX_OBJECTS {
            return Err(ObjectsError::TooMany);
        }
        let mut given = HashMap::with_capacity(objects.len());
        for object in objects {
            if !object_name::is_valid(&object.name) {
                return Err(ObjectsError::Name);
            }
            let content = object.content.map(serde_bytes::ByteBuf::into_vec);
            if given.insert(object.name, content).is_some() {
                return Err(ObjectsError::Duplicate);
            }
        }
        Ok(Self { given })
    }

    /// What is known of an object.
    pub fn get(&self, name: &str) -> Stored<'_> {
        match self.given.get(name) {
            None => Stored::Unknown,
            Some(None) => Stored::Absent,
            Some(Some(content)) => Stored::Present(content),
        }
    }
}

/// Checks that a listing is a page of `prefix` after `after`: at most `limit` names, rising.
pub fn check_listing(
    listing: &Listing,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<(), ObjectsError> {
    let asked = listing.prefix == prefix && listing.after.as_deref() == after;
    let mut last = after;
    let rising = listing.objects.iter().all(|object| {
        let rises = last.is_none_or(|last| object.name.as_str() > last);
        last = Some(&object.name);
        rises && object.name.starts_with(prefix) && object_name::is_valid(&object.name)
    });
    if asked && rising && listing.objects.len() <= limit { Ok(()) } else { Err(ObjectsError::Listing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> Object {
        Object { name: name.into(), content: Some(vec![1].into()) }
    }

    #[test]
    fn the_host_is_held_to_what_was_asked() {
        let objects =
            Objects::new(vec![object("wallet/a"), Object { content: None, ..object("wallet/b") }]).unwrap();
        assert_eq!(objects.get("wallet/a"), Stored::Present(&[1]));
        assert_eq!(objects.get("wallet/b"), Stored::Absent);
        assert_eq!(objects.get("wallet/c"), Stored::Unknown);
        assert_eq!(Objects::new(vec![object("a"); 2]).unwrap_err(), ObjectsError::Name);
        assert_eq!(Objects::new(vec![object("a/b"); 2]).unwrap_err(), ObjectsError::Duplicate);
        assert_eq!(Objects::new(vec![object("a/b"); MAX_OBJECTS + 1]).unwrap_err(), ObjectsError::TooMany);
    }

    #[test]
    fn listings_are_pages_in_order() {
        let listing = |names: &[&str]| Listing {
            prefix: "wallet/".into(),
            after: Some("wallet/b".into()),
            objects: names.iter().map(|name| object(name)).collect(),
            more: false,
        };
        let check = |names: &[&str]| check_listing(&listing(names), "wallet/", Some("wallet/b"), 2);
        assert!(check(&["wallet/c", "wallet/d"]).is_ok() && check(&[]).is_ok());
        for bad in [
            &["wallet/b"][..],
            &["wallet/d", "wallet/c"],
            &["wallet/c", "wallet/c"],
            &["id/x"],
            &["wallet/c", "wallet/d", "wallet/e"],
            &["wallet/../c"],
        ] {
            assert_eq!(check(bad), Err(ObjectsError::Listing), "{bad:?}");
        }
        assert!(check_listing(&listing(&[]), "id/", Some("wallet/b"), 2).is_err());
    }
}
