//! A peer that takes no answers, over a pipe that holds less than one.

use futures::SinkExt;
use protocol::codec::ClientCodec;
use protocol::serve::{Answered, Asked, Call, DataFormat, Event, Problem, Reply};
use tarpc::server::serve;
use tarpc::{Request, context};

use super::super::converse::{converse, root};
use super::*;

/// Longer than anything here takes, shorter than a hung test.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_peer_that_leaves_a_few_bytes_unread_is_cut_long_before_an_idle_one() {
    let (near, far) = tokio::io::duplex(64);
    let mut peer = Framed::new(far, ClientCodec::<DataFormat>::default());
    let limits = TimeLimits {
        write: Duration::from_millis(50),
        ..TimeLimits::default()
    };
    let frames = Framed::new(near, ServerCodec::<DataFormat>::default());
    let connection = Connection::greeted(frames, limits, CancellationToken::new());
    let refuse = serve(async |_, _: Asked| {
        Ok(Answered(Some(Reply::Refused(Problem {
            message: "x".repeat(200),
            ..Problem::default()
        }))))
    });
    let conversation = tokio::spawn(converse(connection, refuse, 8));
    for id in 1..=2 {
        let asked = Request {
            context: context::current(),
            id,
            message: Call::Track(Event::default()).into(),
        };
        peer.send(ClientMessage::Request(asked)).await.unwrap();
    }
    let ended = tokio::time::timeout(PATIENCE, conversation).await;
    let error = ended.expect("it is cut").unwrap().unwrap_err();
    assert_eq!(root(&error), "answers were not read within 50ms");
}
