//! Bytes that have been on the wire once: they are read and written like this for ever.
//!
//! Every line was put together from the rules of protocol buffers alone, not by this crate. A change that breaks one of
//! these breaks services that were built before it.

use bytes::BytesMut;
use proptest::prelude::*;
use tarpc::{ClientMessage, Request, Response, ServerError};
use tokio_util::codec::{Decoder, Encoder};

use super::*;
use crate::codec::{
    ClientCodec, CodecError, MAX_REQUEST_BYTES, ServerCodec, context_lasting, time_left,
};

type Server = ServerCodec<DataFormat>;
type Client = ClientCodec<DataFormat>;

const ASSIGN: &str = "0000007408011088271a6d0a08636865636b6f75741204752d31371a0d0a07636f756e7472791202534e1a0a0a0676697369747318051a100a0362696720ffffffffffffffffff011a100a0573636f726529000000000000e03f1a070a0376697030011a110a04746167733a090a031201610a02180e2000";
const EXPOSE: &str = "00000017080210882722100a08636865636b6f75741204752d3137";
const TRACK: &str = "0000003f08031088272a380a08636865636b6f75741204752d31371a087075726368617365213333333333f348402a0a6f726465722d383831323080c0c9c4baeba406";
const BATCH: &str = "00000059080410882732520a50380a08636865636b6f75741204752d31371a087075726368617365213333333333f348402a0a6f726465722d383831323080c0c9c4baeba406160a08636865636b6f75741204752d31371a0476696577";
const CANCEL: &str = "0000000408057801";
const REFUSED: &str =
    "0000002208011a1e0a0a6f7665726c6f616465641208746f6f206d7563681a04756e69742001";
const ASSIGNED: &str = "00000067080222630a08636865636b6f75741205677265656e1a127b22636f6c6f7572223a22677265656e227d220573706c69742a046d61696e300339000000000000d03f4222312d30303031303230333034303530363037303830393061306230633064306530664801";
const EXPOSED: &str = "0000001008032a0c0a08636865636b6f75741001";
const FAREWELL: &str = "0000000d08ffffffffffffffffff014200";
const TRACKED: &str = "00000038080432340a08636865636b6f7574122430313233343536372d383961622d386465662d383132332d3435363738396162636465661a026462";
const BATCH_TRACKED: &str = "0000006208053a5e080110011a360a340a08636865636b6f7574122430313233343536372d383961622d386465662d383132332d3435363738396162636465661a0264621a20121e0a0a6f7665726c6f616465641208746f6f206d7563681a04756e69742001";
const FAILURE: &str = "000000110806120d0a097468726f74746c65641001";
const HELLO: &str = "0000001208011a0e70726f746f636f6c20302e312e30";
const WELCOME: &str = "0000001208011a0e706974626f73736420302e312e30";
const WELCOME_REFUSED: &str = "00000034080210031a0e706974626f73736420322e332e30221e0a0a6f7665726c6f616465641208746f6f206d7563681a04756e69742001";

fn bytes(hex: &str) -> BytesMut {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn read(frame: &[u8]) -> Result<ClientMessage<Asked>, CodecError> {
    let mut bytes = BytesMut::from(frame);
    let message = Server::default().decode(&mut bytes)?;
    assert!(bytes.is_empty());
    Ok(message.expect("a whole frame"))
}

fn read_call(frame: &[u8]) -> (u64, Result<Call, Unanswerable>) {
    let Ok(ClientMessage::Request(request)) = read(frame) else {
        panic!("a request");
    };
    (request.id, request.message.call())
}

/// `body` with its length in front.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_be_bytes(), body].concat()
}

fn attribute(name: &str, value: impl Into<AttributeValue>) -> Attribute {
    Attribute {
        name: name.into(),
        value: Some(value.into()),
    }
}

fn purchase() -> Event {
    Event::new("checkout", "u-17", "purchase")
        .with_value(49.9)
        .with_id("order-8812")
        .happened_at(DateTime::from_timestamp(1_769_860_800, 0).unwrap())
}

fn calls() -> Vec<(&'static str, u64, Call)> {
    let tags = List {
        items: vec![
            ListItem {
                value: Some("a".into()),
            },
            ListItem {
                value: Some(7.into()),
            },
        ],
    };
    let assign = AssignRequest {
        experiment: "checkout".into(),
        unit: "u-17".into(),
        attributes: vec![
            attribute("country", "SN"),
            attribute("visits", -3),
            attribute("big", u64::MAX),
            attribute("score", 0.5),
            attribute("vip", true),
            attribute("tags", AttributeValue::List(tags)),
        ],
        expose: Some(false),
    };
    let expose = ExposeRequest {
        experiment: "checkout".into(),
        unit: "u-17".into(),
    };
    let batch = Batch::of(&[purchase(), Event::new("checkout", "u-17", "view")]);
    vec![
        (ASSIGN, 1, Call::Assign(assign)),
        (EXPOSE, 2, Call::Expose(expose)),
        (TRACK, 3, Call::Track(purchase())),
        (BATCH, 4, Call::TrackBatch(batch)),
    ]
}

fn problem() -> Problem {
    Problem {
        code: "overloaded".into(),
        message: "too much".into(),
        field: Some("unit".into()),
        retry_after_secs: Some(1),
    }
}

fn replies() -> Vec<(&'static str, u64, Reply)> {
    let assigned = Assigned {
        experiment: "checkout".into(),
        arm: "green".into(),
        config: r#"{"colour":"green"}"#.into(),
        reason: "split".into(),
        lane: Some("main".into()),
        version: Some(3),
        propensity: Some(0.25),
        assignment: Some("1-000102030405060708090a0b0c0d0e0f".into()),
        new: true,
    };
    let exposed = Exposed {
        experiment: "checkout".into(),
        exposed: true,
        durability: None,
    };
    let tracked = Tracked {
        experiment: "checkout".into(),
        event_id: "01234567-89ab-8def-8123-456789abcdef".into(),
        durability: "db".into(),
    };
    let result = |outcome| ItemResult {
        outcome: Some(outcome),
    };
    let batch = BatchTracked {
        accepted: 1,
        rejected: 1,
        results: vec![
            result(ItemOutcome::Accepted(tracked.clone())),
            result(ItemOutcome::Rejected(problem())),
        ],
    };
    vec![
        (REFUSED, 1, Reply::Refused(problem())),
        (ASSIGNED, 2, Reply::Assigned(assigned)),
        (EXPOSED, 3, Reply::Exposed(exposed)),
        (TRACKED, 4, Reply::Tracked(tracked)),
        (BATCH_TRACKED, 5, Reply::BatchTracked(batch)),
        (FAREWELL, FAREWELL_ID, Reply::Farewell(Farewell {})),
    ]
}

#[test]
fn requests_are_read_and_written_as_ever() {
    for (golden, id, call) in calls() {
        assert_eq!(
            read_call(&bytes(golden)),
            (id, Ok(call.clone())),
            "{golden}"
        );
        let request = Request {
            // Read back at once, it is a fraction of a millisecond less.
            context: context_lasting(std::time::Duration::from_micros(5_000_999)),
            id,
            message: call.into(),
        };
        let mut written = BytesMut::new();
        Client::default()
            .encode(ClientMessage::Request(request), &mut written)
            .unwrap();
        assert_eq!(hex(&written), golden);
    }
    let Ok(ClientMessage::Cancel { request_id: 5, .. }) = read(&bytes(CANCEL)) else {
        panic!("a cancellation");
    };
}

#[test]
fn responses_are_read_and_written_as_ever() {
    let failure = Response {
        request_id: 6,
        message: Err(ServerError::new(
            std::io::ErrorKind::WouldBlock,
            "throttled".into(),
        )),
    };
    let answers = replies().into_iter().map(|(golden, request_id, reply)| {
        let message = Ok(Answered(Some(reply)));
        (
            golden,
            Response {
                request_id,
                message,
            },
        )
    });
    for (golden, response) in answers.chain([(FAILURE, failure)]) {
        let mut written = BytesMut::new();
        Server::default()
            .encode(response.clone(), &mut written)
            .unwrap();
        assert_eq!(hex(&written), golden);
        let read = Client::default().decode(&mut bytes(golden)).unwrap();
        assert_eq!(read, Some(response));
    }
}

#[test]
fn greetings_are_read_as_ever() {
    let body = |golden| bytes(golden).split_off(4).freeze();
    let hello = Hello::decode(body(HELLO)).unwrap();
    assert_eq!(
        (hello.major, hello.minor, hello.build.as_str()),
        (1, 0, "protocol 0.1.0")
    );
    let welcome = Welcome::decode(body(WELCOME)).unwrap();
    assert_eq!((welcome.major, welcome.minor), (1, 0));
    assert_eq!(
        (welcome.build.as_str(), welcome.refused),
        ("pitbossd 0.1.0", None)
    );
    let refused = Welcome::decode(body(WELCOME_REFUSED)).unwrap();
    assert_eq!((refused.major, refused.refused), (2, Some(problem())));
}

#[test]
fn what_a_newer_peer_adds_is_passed_over() {
    // Field 99 with a text at the end of the frame, and inside the message.
    let added = [0x9a, 0x06, 0x03, b'n', b'e', b'w'];
    let golden = bytes(EXPOSE);
    let longer = framed(&[&golden[4..], &added].concat());
    assert_eq!(read_call(&longer), read_call(&golden));

    let mut inside = golden[4..].to_vec();
    inside[6] += added.len() as u8;
    let inside = framed(&[&inside, &added[..]].concat());
    assert_eq!(read_call(&inside), read_call(&golden));
}

#[test]
fn calls_and_answers_of_a_newer_peer_are_unknown_and_not_fatal() {
    // Id 9 and field 14 with an empty message: no call and no answer yet.
    let unknown = framed(&[0x08, 9, 0x72, 0]);
    assert_eq!(read_call(&unknown), (9, Err(Unanswerable::UnknownCall)));
    let answer = Client::default()
        .decode(&mut BytesMut::from(&unknown[..]))
        .unwrap()
        .unwrap();
    assert_eq!((answer.request_id, answer.message), (9, Ok(Answered(None))));
}

#[test]
fn a_deadline_is_clamped_and_has_a_default() {
    let left = |fields: &[u8]| {
        let frame = framed(&[&[0x08, 1, 0x22, 0], fields].concat());
        let Ok(ClientMessage::Request(request)) = read(&frame) else {
            panic!("a request");
        };
        time_left(&request.context).as_secs()
    };
    let most = [0x10, 0xff, 0xff, 0xff, 0xff, 0x0f];
    assert!((25..=30).contains(&left(&most)));
    assert!((5..=10).contains(&left(&[])));
    assert_eq!(left(&[0x10, 0]), 0);
}

#[test]
fn only_a_batch_may_be_large() {
    let request = |call: Call| {
        let request = Request {
            context: context_lasting(std::time::Duration::from_secs(1)),
            id: 1,
            message: call.into(),
        };
        let mut bytes = BytesMut::new();
        let written = Client::default().encode(ClientMessage::Request(request), &mut bytes);
        (written.map_err(|error| error.to_string()), bytes)
    };
    let event = Event::new("checkout", "u", "x".repeat(70_000));
    let (_, single) = request(Call::Track(event.clone()));
    let (_, refused) = read_call(&single);
    assert_eq!(refused, Err(Unanswerable::TooLarge(65_536)));
    let (_, batch) = request(Call::TrackBatch(Batch::of([&event])));
    let (_, Ok(Call::TrackBatch(batch))) = read_call(&batch) else {
        panic!("a batch");
    };
    assert_eq!(batch.read(), Ok(vec![event.clone()]));

    let (written, left) = request(Call::TrackBatch(Batch::of(&vec![event; 20])));
    assert!(written.unwrap_err().contains("send less at once"));
    assert!(left.is_empty(), "what cannot be sent leaves nothing behind");
}

#[test]
fn a_batch_is_read_no_further_than_it_may_be() {
    let full = vec![Event::default(); MAX_BATCH];
    assert_eq!(Batch::of(&full).read().unwrap().len(), MAX_BATCH);
    let longer = vec![Event::default(); MAX_BATCH + 1];
    assert_eq!(Batch::of(&longer).count(), MAX_BATCH);
    assert_eq!(Batch::of(&longer).read(), Err(BatchError::TooMany));
    let torn = Batch {
        events: Bytes::from_static(&[9, 1, 2]),
    };
    assert_eq!(torn.count(), 0);
    assert!(matches!(torn.read(), Err(BatchError::Malformed(_))));
    assert_eq!(Batch::of([]).count(), 0);
    assert_eq!(Batch::of(&[purchase(), purchase()]).count(), 2);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&framed(&body));
        let _ = Client::default().decode(&mut BytesMut::from(&framed(&body)[..]));
        let batch = Batch { events: body.into() };
        let count = batch.count();
        if let Ok(events) = batch.read() {
            prop_assert_eq!(events.len(), count);
        }
    }

    #[test]
    fn a_damaged_request_is_read_or_refused(at in 4_usize..100, with in any::<u8>()) {
        for (golden, ..) in calls() {
            let mut damaged = bytes(golden);
            let at = at.min(damaged.len() - 1);
            damaged[at] = with;
            let _ = read(&damaged);
        }
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_by_its_length_alone() {
    let length = u32::try_from(MAX_REQUEST_BYTES + 1).unwrap();
    let mut bytes = BytesMut::from(&length.to_be_bytes()[..]);
    assert!(matches!(
        Server::default().decode(&mut bytes),
        Err(CodecError::Io(_))
    ));
}
