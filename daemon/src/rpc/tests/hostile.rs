//! Peers that send what they should not, too much, too slowly or too early.

use protocol::codec::MAX_REQUEST_BYTES;
use protocol::control::PROTOCOL;
use protocol::plans::PlanRequest;
use protocol::refusal::Code;
use protocol::transport::{connect, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;

/// What a peer that sends `bytes` gets back before the daemon closes the connection.
async fn answer_until_closed(mut peer: UnixStream, bytes: &[u8]) -> Vec<u8> {
    // The daemon may close before everything is written; what counts is that it closes.
    let _ = peer.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, peer.read_to_end(&mut answer)).await;
    let _ = read.expect("the daemon closes the connection");
    answer
}

async fn read_frame(peer: &mut UnixStream) -> String {
    let mut length = [0; 4];
    peer.read_exact(&mut length).await.unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    peer.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap();
    [&length.to_be_bytes(), json.as_bytes()].concat()
}

fn request(id: u64, deadline_secs: u64, message: &str) -> String {
    let trace = r#"{"trace_id":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"span_id":0,"sampling_decision":"Unsampled"}"#;
    format!(
        r#"{{"Request":{{"context":{{"deadline":{{"secs":{deadline_secs},"nanos":0}},"trace_context":{trace}}},"id":{id},"message":{message}}}}}"#
    )
}

fn hello_request(deadline_secs: u64) -> Vec<u8> {
    let hello = serde_json::to_string(&hello(PROTOCOL.major)).unwrap();
    frame(&request(
        1,
        deadline_secs,
        &format!(r#"{{"Hello":{{"hello":{hello}}}}}"#),
    ))
}

/// Short enough to wait for, and long enough for a hello on a busy machine.
fn impatient() -> Limits {
    Limits {
        times: TimeLimits {
            hello: Duration::from_secs(2),
            frame: Duration::from_millis(500),
            idle: Duration::from_secs(1),
            write: Duration::from_millis(500),
        },
        ..Limits::default()
    }
}

#[tokio::test]
async fn garbage_huge_frames_and_deep_json_cost_their_sender_the_connection() {
    let daemon = daemon(Limits::default()).await;
    let console = daemon.console().await;
    let two_mib = vec![b' '; 2 * MAX_REQUEST_BYTES];
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let hostile = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 64],
        frame("not json"),
        frame("{}"),
        frame(&String::from_utf8(two_mib).unwrap()),
        frame(&deep),
        frame(&request(1, 1, &deep)),
        frame(&request(1, 1, r#"{"NoSuchCall":{}}"#)),
        frame(&request(1, 1, "1e400")),
        b"\0\0\0\x02\xc3\x28".to_vec(),
    ];
    for bytes in hostile {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let answer = answer_until_closed(daemon.raw().await, &bytes).await;
        assert!(answer.is_empty(), "{shown}");
        daemon.still_serves(&console).await;
    }
}

#[tokio::test]
async fn absurd_deadlines_are_answered_like_any_other() {
    let daemon = daemon(Limits::default()).await;
    let console = daemon.console().await;
    for deadline in [3 * 365 * 86_400, u64::MAX] {
        let mut peer = daemon.raw().await;
        peer.write_all(&hello_request(deadline)).await.unwrap();
        assert!(read_frame(&mut peer).await.contains("pitbossd test"));
        daemon.still_serves(&console).await;
    }
    // Nanoseconds that make a length of time overflow are no length of time.
    let overflow = request(1, u64::MAX, "{}").replace("\"nanos\":0", "\"nanos\":1000000000");
    assert!(
        answer_until_closed(daemon.raw().await, &frame(&overflow))
            .await
            .is_empty()
    );
    daemon.still_serves(&console).await;
}

#[tokio::test]
async fn silence_is_cut_before_hello_inside_a_frame_and_between_frames() {
    let daemon = daemon(impatient()).await;
    let half = &hello_request(5)[..20];
    assert!(
        answer_until_closed(daemon.raw().await, b"")
            .await
            .is_empty()
    );
    assert!(
        answer_until_closed(daemon.raw().await, half)
            .await
            .is_empty()
    );

    let idle = answer_until_closed(daemon.raw().await, &hello_request(5)).await;
    assert!(String::from_utf8_lossy(&idle).contains("pitbossd test"));
    let dawdling = [hello_request(5), half.to_vec()].concat();
    let dawdling = answer_until_closed(daemon.raw().await, &dawdling).await;
    assert!(String::from_utf8_lossy(&dawdling).contains("pitbossd test"));
    daemon.console().await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answers_is_cut() {
    let daemon = daemon(impatient()).await;
    let mut peer = daemon.raw().await;
    peer.write_all(&hello_request(5)).await.unwrap();
    let plan = PlanRequest {
        file: "x".into(),
        text: "[[experiment]]\n".repeat(200),
        prune: false,
        release_holds: false,
    };
    let plan = serde_json::to_string(&plan).unwrap();
    let flood = async {
        for id in 2.. {
            let plan = frame(&request(
                id,
                5,
                &format!(r#"{{"Plan":{{"request":{plan}}}}}"#),
            ));
            if peer.write_all(&plan).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, flood)
        .await
        .expect("the daemon closes the connection");
    daemon.console().await;
}

#[tokio::test]
async fn a_hundred_connections_of_one_user_leave_seats_for_others_and_free_their_own() {
    let limits = Limits {
        seats: SeatLimits {
            total: 64,
            per_uid: 16,
        },
        ..Limits::default()
    };
    let daemon = daemon(limits).await;
    let console = daemon.console().await;
    let mut peers = Vec::new();
    for _ in 0..100 {
        peers.push(daemon.raw().await);
    }
    let mut closed = 0;
    for peer in &mut peers[15..] {
        closed += tokio::time::timeout(PATIENCE, peer.read(&mut [0]))
            .await
            .map_or(0, |read| usize::from(matches!(read, Ok(0) | Err(_))));
    }
    assert_eq!(closed, 85, "15 and the console have the user's 16 seats");
    assert!(console.health(within(PATIENCE)).await.unwrap().is_ok());
    drop(peers);
    let freed = async {
        while connect(&daemon.path())
            .await
            .unwrap()
            .hello(within(PATIENCE), hello(1))
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, freed)
        .await
        .expect("seats come back");
}

/// One call of each method that changes or shows something.
const CALLS: [&str; 16] = [
    r#"{"Snapshot":{"after":null}}"#,
    r#"{"Watch":{"cursor":{"run":"","seq":0},"max_wait_ms":0}}"#,
    r#"{"Detail":{"key":"checkout"}}"#,
    r#"{"Plan":{"request":{"file":"f","text":""}}}"#,
    r#"{"Apply":{"request":{"plan":{"file":"f","text":""},"base_revision":0,"reason":"r","request_id":"00000000-0000-0000-0000-000000000001"}}}"#,
    r#"{"Start":{"request":VERB}}"#,
    r#"{"Pause":{"request":VERB}}"#,
    r#"{"Resume":{"request":VERB}}"#,
    r#"{"Stop":{"request":VERB}}"#,
    r#"{"Rollback":{"request":VERB}}"#,
    r#"{"Archive":{"request":VERB}}"#,
    r#"{"Results":{"key":"checkout"}}"#,
    r#"{"Insights":{"key":"checkout"}}"#,
    r#"{"Explain":{"key":"checkout","unit":"u"}}"#,
    r#"{"Audit":{"query":{"limit":1}}}"#,
    r#"{"Health":{}}"#,
];

#[tokio::test]
async fn every_call_is_refused_before_hello() {
    let daemon = daemon(Limits::default()).await;
    let verb =
        r#"{"key":"checkout","reason":"r","request_id":"00000000-0000-0000-0000-000000000001"}"#;
    let mut peer = daemon.raw().await;
    for (id, call) in (1..).zip(CALLS) {
        let call = request(id, 5, &call.replace("VERB", verb));
        peer.write_all(&frame(&call)).await.unwrap();
        let answer = read_frame(&mut peer).await;
        assert!(answer.contains("say hello first"), "{call}: {answer}");
    }
}

#[tokio::test]
async fn another_major_is_refused_and_the_connection_stays() {
    let daemon = daemon(Limits::default()).await;
    let client = connect(&daemon.path()).await.unwrap();
    let newer = client
        .hello(within(PATIENCE), hello(PROTOCOL.major + 1))
        .await;
    assert_eq!(newer.unwrap().unwrap_err().code, Code::Version);
    let same = client.hello(within(PATIENCE), hello(PROTOCOL.major)).await;
    assert!(same.unwrap().is_ok());
}
