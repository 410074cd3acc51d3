//! An enclave that signs nothing: its answers are scripted by path.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use signer_shared::{
    address::Address,
    frame,
    message::{
        ApiRequest, ApiResponse, AuditStatus, Header, Object, PROTOCOL, Phase, RefusalCode, Request,
        RequestFrame, Response, ResponseFrame, Status, Write,
    },
};
use signer_transport::{Listener, Stream, read_frame, write_frame};
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

#[derive(Clone)]
pub struct Settings {
    pub boot_id: &'static str,
    /// The phase that provisioning leads to.
    pub provisioned: Phase,
    /// How many heartbeats are answered before it falls silent.
    pub silent_after: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { boot_id: "boot-1", provisioned: Phase::Ready, silent_after: usize::MAX }
    }
}

/// What the host handed over, each time.
#[derive(Clone, Debug, PartialEq)]
pub struct Provision {
    pub configuration: Vec<u8>,
    pub policy_bundle: Vec<u8>,
    pub objects: Vec<Object>,
}

pub struct Enclave {
    state: Arc<State>,
    path: PathBuf,
    task: JoinHandle<()>,
}

struct State {
    settings: Settings,
    phase: Mutex<Phase>,
    policy_version: Mutex<Option<u64>>,
    provisions: Mutex<Vec<Provision>>,
    requests: Mutex<Vec<ApiRequest>>,
    connections: Mutex<usize>,
    heartbeats: Mutex<usize>,
    refused: AtomicUsize,
}

impl Enclave {
    pub async fn start(path: &Path, settings: Settings) -> Self {
        let listener = Listener::bind(&Address::Unix(path.to_owned())).await.unwrap();
        let state = Arc::new(State {
            settings,
            phase: Mutex::new(Phase::Booting),
            policy_version: Mutex::default(),
            provisions: Mutex::default(),
            requests: Mutex::default(),
            connections: Mutex::default(),
            heartbeats: Mutex::default(),
            refused: AtomicUsize::default(),
        });
        let serving = state.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok(stream) = listener.accept().await {
                *serving.connections.lock().unwrap() += 1;
                connections.spawn(serve(serving.clone(), stream));
            }
        });
        Self { state, path: path.to_owned(), task }
    }

    pub fn provisions(&self) -> Vec<Provision> {
        self.state.provisions.lock().unwrap().clone()
    }

    /// API requests as they arrived, one for each round.
    pub fn requests(&self) -> Vec<ApiRequest> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    /// How often the bundle `9` was refused.
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::Relaxed)
    }

    /// Ends it, as a crash would.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
        std::fs::remove_file(&self.path).unwrap();
    }
}

async fn serve(state: Arc<State>, stream: Stream) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (answers, mut queue) = mpsc::unbounded_channel::<Vec<u8>>();
    let mut under_way = tokio::task::JoinSet::new();
    let writing = async {
        while let Some(bytes) = queue.recv().await {
            write_frame(&mut writer, &bytes).await?;
        }
        std::io::Result::Ok(())
    };
    let reading = async {
        while let Ok(body) = read_frame(&mut reader).await {
            let RequestFrame { id, request, .. } = frame::decode(&body).expect("the host's frames are good");
            let (state, answers) = (state.clone(), answers.clone());
            under_way.spawn(async move {
                if let Some(bytes) = answer(&state, id, request).await {
                    let _ = answers.send(bytes);
                }
            });
        }
    };
    tokio::select! {
        _ = writing => (),
        () = reading => (),
    }
}

async fn answer(state: &State, id: u64, request: Request) -> Option<Vec<u8>> {
    let response = match request {
        Request::Hello { protocol } => {
            assert_eq!(protocol, PROTOCOL);
            let phase = *state.phase.lock().unwrap();
            Response::Hello { protocol, boot_id: state.settings.boot_id.to_owned(), phase }
        }
        Request::Status {} => {
            let mut heartbeats = state.heartbeats.lock().unwrap();
            *heartbeats += 1;
            if *heartbeats > state.settings.silent_after {
                return None;
            }
            Response::Status(state.status())
        }
        Request::Provision { configuration, policy_bundle, objects } => {
            state.provision(configuration.into_vec(), policy_bundle.into_vec(), objects)
        }
        Request::Attest { nonce: Some(nonce) } if nonce.len() == 32 => {
            Response::Refused { code: RefusalCode::NsmFailed, message: "the device is gone".to_owned() }
        }
        Request::Attest { nonce } => Response::Attestation {
            boot_id: state.settings.boot_id.to_owned(),
            document: nonce.unwrap_or_default(),
            statement: b"{\"exact\": \"bytes\"}".to_vec().into(),
        },
        Request::Api(request) => {
            state.requests.lock().unwrap().push(request.clone());
            return api(state, id, request).await;
        }
        Request::Audit { .. } => Response::Audit {
            boot_id: state.settings.boot_id.to_owned(),
            first: 0,
            records: Vec::new(),
            checkpoint: None,
            head: 0,
        },
    };
    Some(encode(id, response))
}

impl State {
    fn status(&self) -> Status {
        Status {
            boot_id: self.settings.boot_id.to_owned(),
            version: "0.0.0-test".to_owned(),
            phase: *self.phase.lock().unwrap(),
            uptime_s: 1,
            time_ms: None,
            authority: None,
            configuration_digest: None,
            policy_version: *self.policy_version.lock().unwrap(),
            policy_digest: None,
            keyrings: Vec::new(),
            signatures: 0,
            audit_head: 0,
            audit: AuditStatus::default(),
            problem: None,
        }
    }

    /// Bundles of the tests are a version number, and need one keyring. Nine is a bad one.
    fn provision(&self, configuration: Vec<u8>, policy_bundle: Vec<u8>, objects: Vec<Object>) -> Response {
        if objects.is_empty() {
            return Response::NeedObjects { names: vec!["keyring/default".to_owned()] };
        }
        if policy_bundle == b"9" {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return refused(RefusalCode::PolicyInvalid);
        }
        let version = std::str::from_utf8(&policy_bundle).unwrap().parse().unwrap();
        self.provisions.lock().unwrap().push(Provision { configuration, policy_bundle, objects });
        *self.policy_version.lock().unwrap() = Some(version);
        *self.phase.lock().unwrap() = self.settings.provisioned;
        Response::Provisioned { phase: self.settings.provisioned, missing_keyrings: Vec::new() }
    }
}

/// What the paths of the tests do.
async fn api(state: &State, id: u64, request: ApiRequest) -> Option<Vec<u8>> {
    let object = |name: &str| request.objects.iter().find(|object| object.name == name);
    let path = request.path.as_str();
    let response = if let Some(ms) = path.strip_prefix("/v1/slow/") {
        sleep(Duration::from_millis(ms.parse().unwrap())).await;
        ok(200, ms.as_bytes(), Vec::new())
    } else if path == "/v1/garbage" {
        return Some(vec![0, 0, 0, 2, 0xff, 0xff]);
    } else if path == "/v1/need" {
        match object("wallet/a") {
            None => Response::NeedObjects { names: vec!["wallet/a".to_owned(), "wallet/none".to_owned()] },
            Some(found) => {
                assert_eq!(object("wallet/none").unwrap().content, None);
                ok(200, found.content.as_ref().unwrap(), Vec::new())
            }
        }
    } else if path == "/v1/list" {
        match &request.listing {
            None => Response::NeedListing {
                prefix: "wallet/".to_owned(),
                after: Some("wallet/a".to_owned()),
                limit: 2,
            },
            Some(page) => {
                let names: Vec<_> = page.objects.iter().map(|object| object.name.as_str()).collect();
                ok(200, format!("{} more={}", names.join(","), page.more).as_bytes(), Vec::new())
            }
        }
    } else if let Some(name) = path.strip_prefix("/v1/write/") {
        let name = format!("wallet/{name}");
        match object(&name) {
            Some(taken) => ok(409, taken.content.as_ref().unwrap(), Vec::new()),
            None => ok(201, b"created", vec![Write { name, content: request.body.clone() }]),
        }
    } else if path == "/v1/greedy" {
        Response::NeedObjects { names: vec!["wallet/a".to_owned()] }
    } else if path == "/v1/escape" {
        Response::NeedObjects { names: vec!["wallet/../../etc/passwd".to_owned()] }
    } else if let Some(code) = path.strip_prefix("/v1/refuse/") {
        let codes = [
            RefusalCode::WrongPhase,
            RefusalCode::Overloaded,
            RefusalCode::DeadlineExceeded,
            RefusalCode::KmsFailed,
            RefusalCode::Malformed,
        ];
        refused(codes.into_iter().find(|known| known.as_str() == code).unwrap())
    } else if path == "/v1/policy" {
        *state.phase.lock().unwrap() = Phase::Ready;
        ok(200, b"{}", Vec::new())
    } else {
        ok(418, &request.body, Vec::new())
    };
    Some(encode(id, response))
}

fn ok(status: u16, body: &[u8], writes: Vec<Write>) -> Response {
    let headers = vec![Header { name: "signature".to_owned(), value: "of-the-enclave".to_owned() }];
    Response::Api(ApiResponse { status, headers, body: body.to_vec().into(), writes })
}

fn refused(code: RefusalCode) -> Response {
    Response::Refused { code, message: "for the operator".to_owned() }
}

fn encode(id: u64, response: Response) -> Vec<u8> {
    frame::encode(&ResponseFrame { id, response }).unwrap()
}
