//! A receiver that does as it is told: answers, is slow, breaks off. It keeps what it got.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a request.
#[derive(Debug, Clone)]
pub(super) enum Does {
    /// Answers with a status and headers.
    Answers(u16, &'static str),
    /// Takes the request and never answers.
    Hangs,
    /// Takes the request and cuts the connection.
    Resets,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
    /// Whether it was told that it was taken.
    pub(super) taken: bool,
}

/// A listening receiver, for as long as the test's runtime lives.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    script: Arc<Mutex<VecDeque<Does>>>,
    /// The body of every answer, by how the request line begins.
    bodies: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Sink {
    /// Does what `script` says, then takes everything.
    pub(super) async fn start(script: impl IntoIterator<Item = Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            bodies: Arc::default(),
        };
        let serving = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        sink
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// What a receiver keeps that drops repetitions by their id, in order.
    pub(super) fn kept(&self) -> Vec<Got> {
        let mut seen = HashSet::new();
        let got = self.got();
        let taken = got.into_iter().filter(|got| got.taken);
        taken
            .filter(|got| seen.insert(got.headers["webhook-id"].clone()))
            .collect()
    }

    pub(super) fn answers_with(&self, line: &'static str, body: String) {
        self.bodies.lock().unwrap().insert(line, body);
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut got = read(&mut stream).await?;
            let does = self.script.lock().unwrap().pop_front();
            let does = does.unwrap_or(Does::Answers(200, ""));
            got.taken = matches!(does, Does::Answers(200..300, _));
            let body = {
                let bodies = self.bodies.lock().unwrap();
                let body = bodies.iter().find(|(line, _)| got.line.starts_with(**line));
                body.map(|(_, body)| body.clone()).unwrap_or_default()
            };
            self.got.lock().unwrap().push(got);
            match does {
                Does::Answers(status, headers) => {
                    let answer = format!(
                        "HTTP/1.1 {status} said\r\n{headers}content-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(answer.as_bytes()).await.ok()?;
                }
                Does::Hangs => std::future::pending().await,
                Does::Resets => return None,
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or("0", String::as_str);
    let mut body = vec![0; length.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Got {
        line: line.trim_end().to_owned(),
        headers,
        body: String::from_utf8(body).ok()?,
        taken: false,
    })
}
