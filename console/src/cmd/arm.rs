//! `pitboss quarantine|release|ship`: one change of what an arm gets.

use bandit::experiment::ArmVerb;
use protocol::control::{ArmRequest, ReleaseRequest};
use protocol::experiments::{ArmRow, Row};
use uuid::Uuid;

use super::confirm::{self, Grade};
use super::daemon::Daemon;
use super::format::{count, percent};
use super::verb::done_text;
use super::{Exit, Failure, show};
use crate::cli::{Acting, ArmArgs, ReleaseArgs};
use crate::output::{Answer, Role, Span, Text, plain, versioned};

pub(super) async fn quarantine(daemon: &Daemon, args: &ArmArgs) -> Result<Exit, Failure> {
    let asked = Asked::about(daemon, ArmVerb::Quarantine, &args.key, Some(&args.arm)).await?;
    let request = asked.of_arm(&args.acting)?;
    let done = daemon
        .insist(|client| {
            let request = request.clone();
            async move { client.quarantine(Daemon::patience(), request).await }
        })
        .await?;
    show(&answer(&done), args.json)
}

pub(super) async fn ship(daemon: &Daemon, args: &ArmArgs) -> Result<Exit, Failure> {
    let asked = Asked::about(daemon, ArmVerb::Ship, &args.key, Some(&args.arm)).await?;
    let request = asked.of_arm(&args.acting)?;
    let done = daemon
        .insist(|client| {
            let request = request.clone();
            async move { client.ship(Daemon::patience(), request).await }
        })
        .await?;
    show(&answer(&done), args.json)
}

pub(super) async fn release(daemon: &Daemon, args: &ReleaseArgs) -> Result<Exit, Failure> {
    let arm = args.arm.as_deref();
    let asked = Asked::about(daemon, ArmVerb::Release, &args.key, arm).await?;
    let request = asked.of_holds(&args.acting)?;
    let done = daemon
        .insist(|client| {
            let request = request.clone();
            async move { client.release(Daemon::patience(), request).await }
        })
        .await?;
    show(&answer(&done), args.json)
}

fn answer(done: &protocol::control::Done) -> Answer {
    Answer {
        text: done_text(done),
        json: versioned(done),
    }
}

/// What is to be done, and the experiment as the daemon shows it.
struct Asked<'a> {
    verb: ArmVerb,
    arm: Option<&'a str>,
    row: Row,
    environment: &'a str,
}

impl<'a> Asked<'a> {
    async fn about(
        daemon: &'a Daemon,
        verb: ArmVerb,
        key: &str,
        arm: Option<&'a str>,
    ) -> Result<Self, Failure> {
        let context = Daemon::patience();
        let detail = daemon.client.detail(context, key.to_owned()).await??;
        Ok(Self {
            verb,
            arm,
            row: detail.row,
            environment: &daemon.welcome.environment,
        })
    }

    fn of_arm(&self, acting: &Acting) -> Result<ArmRequest, Failure> {
        let ReleaseRequest {
            key,
            arm,
            reason,
            request_id,
            expect_revision,
        } = self.of_holds(acting)?;
        Ok(ArmRequest {
            key,
            arm: arm.unwrap_or_default(),
            reason,
            request_id,
            expect_revision,
        })
    }

    /// Asks what has to be asked.
    fn of_holds(&self, acting: &Acting) -> Result<ReleaseRequest, Failure> {
        let question = question(self.verb, &self.row, self.arm);
        let grade = grade(self.verb, &self.row.key);
        confirm::confirm(&self.deed(), &question, &grade, acting.yes)?;
        let proposal = format!("{} from the command line", self.verb.as_str());
        Ok(ReleaseRequest {
            key: self.row.key.clone(),
            arm: self.arm.map(str::to_owned),
            reason: confirm::reason(acting.reason.as_deref(), &proposal, acting.yes)?,
            request_id: Uuid::now_v7(),
            // What was asked about is what may be changed.
            expect_revision: (!acting.yes).then_some(self.row.revision),
        })
    }

    fn deed(&self) -> String {
        let (verb, key) = (self.verb.as_str(), &self.row.key);
        let what = match self.arm {
            Some(arm) => format!("{arm} of {key}"),
            None => key.clone(),
        };
        format!("{verb} {what} in {}", self.environment)
    }
}

/// A quarantine is there to be quick, and is undone by its release; a release gives users back what hurt them.
fn grade(verb: ArmVerb, key: &str) -> Grade {
    match verb {
        ArmVerb::Quarantine => Grade::Reversible,
        ArmVerb::Release => Grade::Costly,
        ArmVerb::Ship => Grade::Irreversible {
            typed: key.to_owned(),
        },
    }
}

/// What will happen, to what, and how much traffic feels it.
fn question(verb: ArmVerb, row: &Row, arm: Option<&str>) -> Text {
    let what = match verb {
        ArmVerb::Quarantine => return Text::new(),
        ArmVerb::Release if row.holds.is_empty() => "nothing is held".to_owned(),
        ArmVerb::Release => format!("held: {}", row.holds.join("; ")),
        ArmVerb::Ship => {
            let arm = row.arms.iter().find(|it| Some(it.name.as_str()) == arm);
            format!(
                "all of them get {} from the next call on, for good",
                standing(arm)
            )
        }
    };
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, &row.key),
        plain(format!(
            " is {}: {:.1} new units a second, {} units so far; {what}",
            row.state,
            row.decisions_per_sec,
            count(row.assigned)
        )),
    ]);
    text
}

/// `blue (94.20% of new units, P(best) 0.994)`
fn standing(arm: Option<&ArmRow>) -> String {
    arm.map_or_else(
        || "an arm that it does not have".to_owned(),
        |arm| {
            format!(
                "{} ({} of the new units, P(best) {:.3})",
                arm.name,
                percent(arm.share),
                arm.p_best
            )
        },
    )
}
