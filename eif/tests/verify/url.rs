//! A running appliance: the nonce is new, and the answer must contain it.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use crate::{
    scene::{NONCE, Scene},
    verify,
};

/// Answers one request. `honest` puts the nonce that was asked for into the document.
fn serve(scene: Scene, honest: bool) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).unwrap();
        let request = String::from_utf8(request[..length].to_vec()).unwrap();
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let nonce = hex::decode(path.strip_prefix("/v1/attestation?nonce=").unwrap()).unwrap();
        let body = scene.answer(if honest { &nonce } else { &NONCE }).to_string();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        path
    });
    (url, server)
}

#[test]
fn a_running_enclave_answers_a_new_nonce() {
    let mut paths = Vec::new();
    for (honest, exit) in [(true, 0), (true, 0), (false, 1)] {
        let mut scene = Scene::new();
        scene.without(&["--document", "--nonce"]);
        let files = scene.write();
        let (url, server) = serve(scene, honest);
        let mut arguments = files.arguments.clone();
        arguments.extend(["--url".to_owned(), url]);
        let run = verify(&arguments);
        assert_eq!(run.exit, exit, "{}\n{}", run.json, run.stderr);
        assert_eq!(run.with_verdict("fail"), if honest { vec![] } else { vec!["nonce"] });
        paths.push(server.join().unwrap());
    }
    assert_eq!(paths[0].len(), "/v1/attestation?nonce=".len() + 64);
    assert_ne!(paths[0], paths[1]);
}
