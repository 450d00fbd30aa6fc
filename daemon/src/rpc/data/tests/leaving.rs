//! One side goes away: what was begun is finished, what was promised is kept, and clients come back.

use protocol::client::CallError;
use protocol::refusal::Retry;
use protocol::serve::Assigned;

use super::*;

#[tokio::test]
async fn an_assign_whose_caller_hangs_up_is_recorded_all_the_same() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let in_the_way = doors.block().await;
    let client = doors.client().await;
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.assign("checkout", "gone").await }
    });
    doors.until_blocked().await;
    // The caller no longer waits, and its connection ends with the last client.
    asked.abort();
    drop(client);
    in_the_way.rollback().await.unwrap();
    let recorded = "select count(*) from experiment_assignments";
    doors.site.until(recorded, 1).await;
    let again = doors.client().await.assign("checkout", "gone").await;
    assert_eq!(again.unwrap().reason, "sticky");
}

#[tokio::test]
async fn a_deadline_that_passes_cuts_no_write_in_half() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let in_the_way = doors.block().await;
    let client = doors
        .client()
        .await
        .with_patience(Duration::from_millis(50));
    let late = client.assign("checkout", "late").await.unwrap_err();
    assert!(matches!(late, CallError::TimedOut(_)), "{late}");
    assert_eq!(late.retry(), Retry::Later);
    doors.until_blocked().await;
    in_the_way.rollback().await.unwrap();
    let recorded = "select count(*) from experiment_assignments";
    doors.site.until(recorded, 1).await;
}

#[tokio::test]
async fn stopping_answers_what_is_in_flight_and_takes_no_more() {
    let mut doors = Doors::open(TimeLimits::SERVICE).await;
    let in_the_way = doors.block().await;
    let client = doors.client().await;
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.assign("checkout", "u").await }
    });
    doors.until_blocked().await;
    doors.stop.cancel();
    in_the_way.rollback().await.unwrap();
    let stopped = tokio::time::timeout(PATIENCE, &mut doors.port).await;
    stopped.expect("it drains").unwrap();
    let assigned = asked.await.unwrap().unwrap();
    assert_eq!(assigned.experiment, "checkout");

    let refused = client.assign("checkout", "u").await.unwrap_err();
    assert!(
        matches!(refused, CallError::Unreachable { .. }),
        "{refused}"
    );
    assert!(refused.retry_after().is_some());
    assert!(refused.to_string().contains("data_rpc_listen"), "{refused}");
}

#[tokio::test]
async fn a_client_connects_again_by_itself() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let client = doors.client().await;
    let before = client.assign("checkout", "u").await.unwrap();
    doors.stop.cancel();
    let listener = freed(doors.address).await;
    let (stop, _port) = serve(&doors.site, listener, TimeLimits::SERVICE);
    let after = answered(&client).await;
    assert_eq!(after.assignment, before.assignment);
    stop.cancel();
}

/// A listener in the place of one that is gone: its port is free once nobody is connected to it any more.
async fn freed(address: SocketAddr) -> TcpListener {
    let listener = async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, listener).await.unwrap()
}

/// The answer to the first call that has one.
async fn answered(client: &Client) -> Assigned {
    let answered = async {
        loop {
            match client.assign("checkout", "u").await {
                Ok(assigned) => return assigned,
                Err(error) => assert_eq!(error.retry(), Retry::Later, "{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap()
}

/// A second daemon's door on the same database.
async fn elsewhere(doors: &Doors) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rpc = DataRpc::new(listener, doors.site.port.calls.clone(), TimeLimits::SERVICE);
    tokio::spawn(rpc.run(doors.stop.child_token()));
    address
}

#[tokio::test]
async fn a_daemon_that_is_about_to_stop_answers_what_is_in_flight_and_sends_its_clients_elsewhere()
{
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let other = elsewhere(&doors).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let going = listener.local_addr().unwrap();
    let (leaving, stop) = (CancellationToken::new(), CancellationToken::new());
    let rpc = DataRpc::new(listener, doors.site.port.calls.clone(), TimeLimits::SERVICE)
        .telling(leaving.clone());
    let port = tokio::spawn(rpc.run(stop.clone()));
    let addresses = [going.to_string(), other.to_string()];
    let client = Client::connect_any(addresses).await.unwrap();
    let client = client.with_patience(PATIENCE);

    let in_the_way = doors.block().await;
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.assign("checkout", "u").await }
    });
    doors.until_blocked().await;
    leaving.cancel();
    in_the_way.rollback().await.unwrap();
    asked.await.unwrap().unwrap();
    // It goes on answering until it stops, and its client has left by then: the port ends although nobody stopped the
    // client, and no call has failed.
    let moved = async {
        while !client.is_at(&other.to_string()) {
            client.assign("checkout", "u").await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, moved).await.unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, port).await.unwrap().unwrap();
    client.assign("checkout", "u").await.unwrap();
}

#[tokio::test]
async fn where_there_is_nobody_else_a_daemon_that_is_about_to_stop_is_asked_on() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let leaving = CancellationToken::new();
    leaving.cancel();
    let rpc =
        DataRpc::new(listener, doors.site.port.calls.clone(), TimeLimits::SERVICE).telling(leaving);
    tokio::spawn(rpc.run(doors.stop.child_token()));
    let client = Client::connect(address.to_string()).await.unwrap();
    for _ in 0..20 {
        client.assign("checkout", "u").await.unwrap();
    }
}

/// Less than a client waits for a daemon that does not answer.
const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn callers_whose_patience_ends_at_a_dead_host_come_to_the_daemon_that_lives() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let lives = elsewhere(&doors).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dies = listener.local_addr().unwrap();
    let (stop, port) = serve(&doors.site, listener, TimeLimits::SERVICE);
    let addresses = [dies.to_string(), lives.to_string()];
    let client = Client::connect_any(addresses).await.unwrap();
    let client = client.with_patience(SHORT);
    client.assign("checkout", "u").await.unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, port).await.unwrap().unwrap();
    // Whoever connects is not refused, and hears nothing.
    let _silent = freed(dies).await;
    answered(&client).await;
    assert!(client.is_at(&lives.to_string()));
}

#[tokio::test]
async fn while_a_client_looks_for_another_daemon_in_vain_the_one_that_is_about_to_stop_answers() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = silent.local_addr().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let going = listener.local_addr().unwrap();
    let leaving = CancellationToken::new();
    leaving.cancel();
    let rpc =
        DataRpc::new(listener, doors.site.port.calls.clone(), TimeLimits::SERVICE).telling(leaving);
    tokio::spawn(rpc.run(doors.stop.child_token()));
    let client = Client::connect_any([going.to_string(), dead.to_string()]);
    let client = client.await.unwrap().with_patience(SHORT);
    client.assign("checkout", "u").await.unwrap();

    let looked = tokio::spawn(async move { silent.accept().await });
    let calls = async {
        while !looked.is_finished() {
            client.assign("checkout", "u").await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, calls).await.unwrap();
    // Held, so that the client still waits for its greeting.
    let _held = looked.await.unwrap().unwrap();
    client.assign("checkout", "u").await.unwrap();
}
