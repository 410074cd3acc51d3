//! Request bodies: whole, bounded in size and in time.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

use super::problem::Problem;

/// A caller who is still sending would lose an early answer when the connection closes, so what
/// they send is read and forgotten for a little while.
const DISCARD_LIMIT: Duration = Duration::from_secs(1);
const DISCARD_BYTES: usize = 8 * 1024 * 1024;

/// Reads a body of at most `most` bytes within `limit`.
pub(super) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    most: usize,
    limit: Duration,
) -> Result<Vec<u8>, Problem>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > most) {
        // A caller who asked first has not sent anything.
        if !headers.contains_key(header::EXPECT) {
            discard(body).await;
        }
        return Err(Problem::body_too_large(most));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).min(64 * 1024));
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|_| Problem::malformed("the body broke off: send the whole request again"))?;
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > most.saturating_sub(bytes.len()) {
                return Err(Problem::body_too_large(most));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    match timeout(limit, reading).await {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(problem)) => {
            discard(body).await;
            Err(problem)
        }
        Err(_) => Err(Problem::body_slow()),
    }
}

async fn discard<B: Body<Data = Bytes>>(mut body: std::pin::Pin<&mut B>) {
    let reading = async {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = timeout(DISCARD_LIMIT, reading).await;
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn the_limit_is_the_last_size_that_passes() {
        let read = async |size: usize| {
            let body = Full::new(Bytes::from(vec![0; size]));
            read(&HeaderMap::new(), body, 100, Duration::from_secs(1)).await.map(|bytes| bytes.len())
        };
        assert_eq!(read(0).await, Ok(0));
        assert_eq!(read(100).await, Ok(100));
        assert_eq!(read(101).await, Err(Problem::body_too_large(100)));
    }
}
