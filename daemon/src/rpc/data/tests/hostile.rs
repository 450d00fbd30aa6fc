//! Peers that send what they should not, too much, too slowly or too early.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use prost::Message;
use protocol::client::CallError;
use protocol::codec::MAX_REQUEST_BYTES;
use protocol::serve::{Event, GreetingError, Hello, MAX_IN_FLIGHT, PROTOCOL, Welcome, greet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::*;
use crate::calls::Kind;

/// A connection that speaks in frames.
type Frames = Framed<TcpStream, LengthDelimitedCodec>;

impl Doors {
    /// A peer that has greeted, and says what it likes from then on.
    async fn greeted(&self) -> Frames {
        let mut peer = Framed::new(self.raw().await, LengthDelimitedCodec::new());
        peer.send(hello(PROTOCOL.major.into())).await.unwrap();
        let welcome = Welcome::decode(next(&mut peer).await.unwrap()).unwrap();
        assert_eq!(welcome.refused, None);
        peer
    }
}

fn hello(major: u32) -> Bytes {
    let hello = Hello {
        major,
        minor: 0,
        build: "tests".into(),
    };
    hello.encode_to_vec().into()
}

/// The next frame; `None` when the daemon has closed the connection.
async fn next(peer: &mut Frames) -> Option<Bytes> {
    let frame = tokio::time::timeout(PATIENCE, peer.next()).await;
    let frame = frame.expect("the daemon answers or closes the connection");
    frame.and_then(Result::ok).map(Into::into)
}

/// What a peer that sends `bytes` gets back before the daemon closes the connection.
async fn answer_until_closed(mut peer: TcpStream, bytes: &[u8]) -> Vec<u8> {
    // The daemon may close before everything is written; what counts is that it closes.
    let _ = peer.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, peer.read_to_end(&mut answer)).await;
    let _ = read.expect("the daemon closes the connection");
    answer
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_be_bytes(), body].concat()
}

/// An assign of `unit` with the given id: its fields, as protocol buffers have them.
fn assign(id: u16, unit: &str) -> Vec<u8> {
    let text = |tag: u8, text: &str| [&[tag, text.len() as u8], text.as_bytes()].concat();
    let request = [text(0x0a, "checkout"), text(0x12, unit)].concat();
    let id = [id as u8 | 0x80, (id >> 7) as u8];
    [
        &[0x08, id[0], id[1], 0x1a, request.len() as u8],
        request.as_slice(),
    ]
    .concat()
}

/// Short enough to wait for.
const IMPATIENT: TimeLimits = TimeLimits {
    hello: Duration::from_secs(3),
    frame: Duration::from_millis(500),
    idle: Duration::from_secs(1),
    write: Duration::from_millis(500),
};

#[tokio::test]
async fn what_is_no_greeting_costs_its_sender_the_connection() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let client = doors.client().await;
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 64],
        framed(&[0xff; 64]),
        framed(&[0; 9_000]),
        framed(&assign(1, "u"))[..10].to_vec(),
    ] {
        let answer = answer_until_closed(doors.raw().await, &bytes).await;
        assert!(answer.is_empty(), "{bytes:?}");
        doors.still_serves(&client).await;
    }
}

#[tokio::test]
async fn another_major_is_told_both_versions() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let mut peer = Framed::new(doors.raw().await, LengthDelimitedCodec::new());
    peer.send(hello(7)).await.unwrap();
    let welcome = Welcome::decode(next(&mut peer).await.unwrap()).unwrap();
    let refused = welcome.refused.unwrap();
    assert_eq!(refused.code, "version");
    assert!(
        refused.message.contains("7.0") && refused.message.contains("1.0"),
        "{refused}"
    );
    assert_eq!(next(&mut peer).await, None);
    let (near, far) = tokio::io::duplex(64);
    drop(far);
    let gone = greet(near).await;
    assert!(matches!(
        gone,
        Err(GreetingError::Io(_) | GreetingError::Closed)
    ));
}

#[tokio::test]
async fn garbage_after_a_greeting_costs_its_sender_the_connection() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let client = doors.client().await;
    // Groups are the one thing in protocol buffers that nests in few bytes.
    let deep = vec![0x73; 100_000];
    for body in [vec![0xff; 64], b"not a message".to_vec(), deep] {
        let mut peer = doors.greeted().await;
        peer.get_mut().write_all(&framed(&body)).await.unwrap();
        assert_eq!(next(&mut peer).await, None, "{:?}", &body[..10]);
        doors.still_serves(&client).await;
    }
    let mut peer = doors.greeted().await;
    let length = u32::try_from(MAX_REQUEST_BYTES + 1).unwrap();
    peer.get_mut()
        .write_all(&length.to_be_bytes())
        .await
        .unwrap();
    assert_eq!(next(&mut peer).await, None);
    doors.still_serves(&client).await;
}

#[tokio::test]
async fn unknown_calls_large_calls_and_absurd_deadlines_are_answered() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let mut peer = doors.greeted().await;
    let mut answer = async |body: Vec<u8>| {
        peer.send(Bytes::from(body)).await.unwrap();
        String::from_utf8_lossy(&next(&mut peer).await.unwrap()).into_owned()
    };
    let unknown = answer(vec![0x08, 9, 0x72, 0]).await;
    assert!(
        unknown.contains("unknown_route") && unknown.contains("1.0"),
        "{unknown}"
    );

    let filler = [&[0x9a, 0x06, 0x80, 0x80, 0x04][..], &vec![b'x'; 65_536]].concat();
    let large = answer([assign(1, "u"), filler].concat()).await;
    assert!(
        large.contains("too_large") && large.contains("65536 bytes"),
        "{large}"
    );

    let longest = [0x10, 0xff, 0xff, 0xff, 0xff, 0x0f];
    let answered = answer([assign(1, "u"), longest.to_vec()].concat()).await;
    assert!(answered.contains("checkout"), "{answered}");
}

#[tokio::test]
async fn silence_is_cut_inside_a_frame_and_between_frames() {
    let doors = Doors::open(IMPATIENT).await;
    let mut idle = doors.greeted().await;
    assert_eq!(next(&mut idle).await, None);
    let mut dawdling = doors.greeted().await;
    let half = &framed(&assign(1, "u"))[..10];
    dawdling.get_mut().write_all(half).await.unwrap();
    assert_eq!(next(&mut dawdling).await, None);
    doors.client().await.assign("checkout", "u").await.unwrap();
}

#[tokio::test]
async fn answers_do_not_wait_for_the_rest_of_a_frame() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    doors.client().await.assign("checkout", "u").await.unwrap();
    let mut peer = doors.greeted().await;
    let calls = (1..=100).flat_map(|id| framed(&assign(id, "u")));
    let last = framed(&assign(101, "u"));
    let most: Vec<u8> = calls.chain(last[..10].iter().copied()).collect();
    peer.get_mut().write_all(&most).await.unwrap();
    for _ in 1..=100 {
        let answer = String::from_utf8_lossy(&next(&mut peer).await.unwrap()).into_owned();
        assert!(answer.contains("sticky"), "{answer}");
    }
    peer.get_mut().write_all(&last[10..]).await.unwrap();
    assert!(next(&mut peer).await.is_some());
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answers_is_cut() {
    let doors = Doors::open(IMPATIENT).await;
    let mut peer = doors.greeted().await;
    // A thousand events that say nothing: each is a byte, and its refusal a hundred.
    let flood = async {
        for id in (0..=127).cycle() {
            let head = [0x08, id, 0x32, 0xeb, 0x07, 0x0a, 0xe8, 0x07];
            let batch = framed(&[&head[..], &[0; 1_000]].concat());
            if peer.get_mut().write_all(&batch).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, flood)
        .await
        .expect("the daemon closes the connection");
    doors.client().await.assign("checkout", "u").await.unwrap();
}

#[tokio::test]
async fn requests_beyond_what_may_be_in_flight_are_refused_at_once() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let in_the_way = doors.block().await;
    let mut peer = doors.greeted().await;
    let last = MAX_IN_FLIGHT as u16 + 1;
    for id in 1..=last {
        let body = assign(id, &format!("u{id}"));
        peer.feed(Bytes::from(body)).await.unwrap();
    }
    SinkExt::<Bytes>::flush(&mut peer).await.unwrap();
    let answer = String::from_utf8_lossy(&next(&mut peer).await.unwrap()).into_owned();
    assert!(answer.contains("throttled"), "{answer}");
    in_the_way.rollback().await.unwrap();
    for _ in 1..last {
        let answer = String::from_utf8_lossy(&next(&mut peer).await.unwrap()).into_owned();
        assert!(answer.contains("checkout"), "{answer}");
    }
}

#[tokio::test]
async fn a_batch_is_let_in_by_the_number_of_its_events() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let client = doors.client().await;
    let calls = &doors.site.port.calls;
    let others = calls.admit_events(Kind::Track, 7_500);
    assert!(others.is_ok());
    let events = vec![Event::new("checkout", "u", "purchase"); 501];
    let refused = client.track_batch(&events).await;
    let Err(CallError::Refused(problem)) = refused else {
        panic!("8,001 events are in flight: {refused:?}");
    };
    assert_eq!(problem.code, "overloaded");
    assert_eq!(problem.retry_after_secs, Some(1));
    assert_eq!(client.track_batch(&events[1..]).await.unwrap().len(), 500);
    drop(others);
    assert_eq!(client.track_batch(&events).await.unwrap().len(), 501);
}
