//! What operators do about alerts: ack, silence, have sent again. Audited like every change, but not of the world: no
//! plan becomes stale by it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::alerts::{AckRequest, AlertDone, ResendRequest, SilenceRequest};
use protocol::refusal::{Code, Refusal};
use sqlx::PgConnection;
use uuid::Uuid;

use super::failure::Failure;
use super::mutate::{Answer, Change, Judgement, Request, digest};
use super::{Caller, Operations, reason};
use crate::alerts::lifecycle::{Happening, LONGEST_SILENCE, SHORTEST_SILENCE};
use crate::store::alerts::deliveries::{self, Found};
use crate::store::alerts::{self, Alert, channels};
use crate::store::mutations::Mutation;

impl Operations {
    /// Somebody looks after an alert.
    pub async fn ack(&self, asked: AckRequest, caller: Caller) -> Result<AlertDone, Refusal> {
        let AckRequest {
            alert,
            reason,
            request_id,
        } = asked;
        self.unless_away()?;
        let request = request("ack", alert, &reason, request_id, caller, 0)?;
        self.mutate(AnswerTo {
            alert,
            answer: Given::Ack,
            request,
        })
        .await
    }

    /// Nobody wants to hear of an alert for some time.
    pub async fn silence(
        &self,
        asked: SilenceRequest,
        caller: Caller,
    ) -> Result<AlertDone, Refusal> {
        let SilenceRequest {
            alert,
            for_ms,
            reason,
            request_id,
        } = asked;
        self.unless_away()?;
        let for_ = Duration::from_millis(for_ms);
        if !(SHORTEST_SILENCE..=LONGEST_SILENCE).contains(&for_) {
            let message = "a silence lasts 1m to 30d; for longer, change what finds the alert";
            return Err(Refusal::new(Code::Invalid, message));
        }
        let for_ = TimeDelta::from_std(for_).expect("30 days fit");
        let request = request("silence", alert, &reason, request_id, caller, for_ms)?;
        self.mutate(AnswerTo {
            alert,
            answer: Given::Silence(for_),
            request,
        })
        .await
    }

    /// A delivery is sent again.
    pub async fn resend(&self, asked: ResendRequest, caller: Caller) -> Result<AlertDone, Refusal> {
        let ResendRequest {
            delivery,
            reason,
            request_id,
        } = asked;
        self.unless_away()?;
        let request = request("resend", delivery, &reason, request_id, caller, 0)?;
        self.mutate(Resend { delivery, request }).await
    }
}

fn request(
    action: &'static str,
    number: u64,
    reason: &str,
    id: Uuid,
    caller: Caller,
    more: u64,
) -> Result<Request, Refusal> {
    let reason = reason::checked(reason)?;
    let digest = digest(&(action, number, &reason, more));
    let what = if action == "resend" {
        "delivery"
    } else {
        "alert"
    };
    Ok(Request {
        id,
        caller,
        action,
        target: format!("{what} {number}"),
        reason,
        digest,
    })
}

/// An answer to one alert.
struct AnswerTo {
    alert: u64,
    answer: Given,
    request: Request,
}

#[derive(Clone, Copy)]
enum Given {
    Ack,
    Silence(TimeDelta),
}

impl AnswerTo {
    async fn write(
        &self,
        tx: &mut PgConnection,
        alert: &Alert,
        now: DateTime<Utc>,
    ) -> Result<String, Failure> {
        let Request { caller, reason, .. } = &self.request;
        let (number, place) = (alert.number, &alert.identity);
        Ok(match self.answer {
            Given::Ack => {
                alerts::put_ack(tx, alert, &caller.actor, reason, now).await?;
                format!("alert {number} ({place}) is acked: nobody is reminded of it")
            }
            Given::Silence(for_) => {
                alerts::put_silence(tx, alert, &caller.actor, reason).await?;
                let until = (now + for_).format("%Y-%m-%d %H:%M UTC");
                format!("alert {number} ({place}) is silent until {until}")
            }
        })
    }
}

impl Change for AnswerTo {
    type Answer = AlertDone;

    fn request(&self) -> &Request {
        &self.request
    }

    fn is_of_the_world(&self) -> bool {
        false
    }

    async fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> Result<Judgement<AlertDone>, Failure> {
        let now = mutation.now;
        let Some(alert) = alerts::find(tx, self.alert).await? else {
            return Ok(unknown(format!("there is no alert {}", self.alert)));
        };
        let happening = match self.answer {
            Given::Ack => Happening::Acked,
            Given::Silence(for_) => Happening::Silenced { until: now + for_ },
        };
        let from = alert.episode.state.as_str();
        let to = match alerts::step(tx, &alert, happening, now).await? {
            Ok(state) => state.as_str(),
            Err(illegal) => {
                let message = format!("alert {} ({}): {illegal}", self.alert, alert.identity);
                return Ok(Judgement::Refused(Refusal::new(
                    Code::IllegalState,
                    message,
                )));
            }
        };
        let outcome = self.write(tx, &alert, now).await?;
        Ok(Judgement::Done {
            answer: done(self.alert, outcome),
            detail: serde_json::json!({ "identity": alert.identity, "from": from, "to": to }),
        })
    }
}

/// A delivery that is sent again.
struct Resend {
    delivery: u64,
    request: Request,
}

impl Change for Resend {
    type Answer = AlertDone;

    fn request(&self) -> &Request {
        &self.request
    }

    fn is_of_the_world(&self) -> bool {
        false
    }

    async fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> Result<Judgement<AlertDone>, Failure> {
        let number = self.delivery;
        let Some(found) = deliveries::find(tx, number).await? else {
            return Ok(unknown(format!("there is no delivery {number}")));
        };
        let Found {
            id,
            channel,
            delivered_at,
            dead_at,
        } = &found;
        if delivered_at.is_none() && dead_at.is_none() {
            let message = format!("delivery {number} to {channel} is on its way already");
            return Ok(Judgement::Refused(Refusal::new(
                Code::IllegalState,
                message,
            )));
        }
        // Whoever sends again by hand takes it that the channel works.
        if !channels::enable(tx, channel).await? {
            let message =
                format!("delivery {number} was for {channel}, which is not configured any more");
            return Ok(Judgement::Refused(Refusal::new(
                Code::IllegalState,
                message,
            )));
        }
        deliveries::revive(tx, &found, mutation.now).await?;
        let outcome = format!("delivery {number} is sent to {channel} again, under the same id");
        Ok(Judgement::Done {
            answer: done(number, outcome),
            detail: serde_json::json!({ "delivery": id, "channel": channel }),
        })
    }
}

fn unknown<A>(message: String) -> Judgement<A> {
    Judgement::Refused(Refusal::new(Code::NotFound, message))
}

fn done(number: u64, outcome: String) -> AlertDone {
    AlertDone {
        number,
        outcome,
        repeated: false,
    }
}

impl Answer for AlertDone {
    fn repeated(self) -> Self {
        Self {
            repeated: true,
            ..self
        }
    }
}
