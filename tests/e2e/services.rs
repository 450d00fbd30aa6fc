//! Services in Rust and services in anything else, at one real daemon.

use harness::http::Http;
use harness::installation::Installation;
use harness::wait;
use protocol::client::{CallError, Client};
use protocol::serve::Event;
use serde_json::json;

use crate::stories::QUICK;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_over_tarpc_and_one_over_http_see_one_world() -> anyhow::Result<()> {
    let mut installation = Installation::start().await?;
    installation.apply(QUICK)?;
    let mut http = installation.http().await?;
    let rpc = Client::connect(installation.data_rpc_address()).await?;

    let over_rpc = rpc.assign("story", "ana").await?;
    assert!(over_rpc.new);
    let over_http = http
        .post("/api/experiments/story/assign", &json!({"unit": "ana"}))
        .await?
        .json;
    assert_eq!(over_http["arm"], over_rpc.arm);
    assert_eq!(over_http["reason"], "sticky");

    // The same event through both doors, and in a batch: one effect.
    let purchase = || Event::new("story", "ana", "conversion").with_id("order-1");
    rpc.track(purchase()).await?;
    for tracked in rpc.track_batch(&[purchase(), purchase()]).await? {
        assert_eq!(tracked?.durability, "db");
    }
    let body = json!({"unit": "ana", "event": "conversion", "id": "order-1"});
    http.post("/api/experiments/story/track", &body).await?;
    let address = installation.data_address();
    wait::until("the fold", || {
        let address = address.clone();
        async move {
            let mut http = Http::connect(&address).await.ok()?;
            let answer = http.get("/api/experiments/story/results").await.ok()?;
            let results = answer.json;
            (results["unfolded"] == 0 && results["events"] == 1).then_some(())
        }
    })
    .await;

    let ended = installation.stop_daemon()?;
    assert!(ended.success(), "it drains, but it was {ended}");
    let gone = rpc.assign("story", "ana").await;
    assert!(
        matches!(gone, Err(CallError::Unreachable { .. })),
        "{gone:?}"
    );
    Ok(())
}
