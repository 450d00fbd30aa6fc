//! `pitboss start|pause|resume|stop|rollback|archive`: one change of state.

use bandit::experiment::Verb;
use protocol::control::{ControlClient, Done, VerbRequest};
use protocol::experiments::Row;
use protocol::refusal::{Code, Refusal};
use tarpc::client::RpcError;
use uuid::Uuid;

use super::confirm::{self, Grade};
use super::daemon::Daemon;
use super::format::count;
use super::{Exit, Failure, show};
use crate::cli::VerbArgs;
use crate::output::{Answer, Role, Span, Text, plain, versioned};

pub(super) async fn run(daemon: &Daemon, verb: Verb, args: &VerbArgs) -> Result<Exit, Failure> {
    let detail = daemon
        .client
        .detail(Daemon::patience(), args.key.clone())
        .await?;
    let row = match detail {
        Ok(detail) => Some(detail.row),
        // The database is away: there are no figures to ask about, and harm must be stopped all the same.
        Err(refusal) if verb == Verb::Rollback && refusal.code == Code::Unavailable => None,
        Err(refusal) => return Err(refusal.into()),
    };
    let environment = &daemon.welcome.environment;
    let deed = format!("{} {} in {environment}", spoken(verb), args.key);
    let question = match &row {
        Some(row) => question_about(verb, row),
        None => question_without_figures(&args.key),
    };
    confirm::confirm(&deed, &question, &grade(verb, &args.key), args.acting.yes)?;
    let proposal = format!("{verb} from the command line");
    let reason = confirm::reason(args.acting.reason.as_deref(), &proposal, args.acting.yes)?;
    let request = VerbRequest {
        key: args.key.clone(),
        reason,
        request_id: Uuid::now_v7(),
        // What was asked about is what may be changed.
        expect_revision: row.filter(|_| !args.acting.yes).map(|row| row.revision),
    };
    let done = daemon
        .insist(|client| call(client, verb, request.clone()))
        .await?;
    let answer = Answer {
        text: done_text(&done),
        json: versioned(&done),
    };
    show(&answer, args.json)
}

async fn call(
    client: ControlClient,
    verb: Verb,
    request: VerbRequest,
) -> Result<Result<Done, Refusal>, RpcError> {
    let context = Daemon::patience();
    match verb {
        Verb::Start => client.start(context, request).await,
        Verb::Pause => client.pause(context, request).await,
        Verb::Resume => client.resume(context, request).await,
        Verb::Stop => client.stop(context, request).await,
        Verb::Rollback => client.rollback(context, request).await,
        Verb::Archive => client.archive(context, request).await,
    }
}

/// The verb in a sentence.
fn spoken(verb: Verb) -> &'static str {
    match verb {
        Verb::Rollback => "roll back",
        Verb::Start | Verb::Pause | Verb::Resume | Verb::Stop | Verb::Archive => verb.as_str(),
    }
}

/// How much it deserves to be thought over. A question that is always answered yes is a bug, so what can be
/// undone at once is not asked about.
fn grade(verb: Verb, key: &str) -> Grade {
    match verb {
        Verb::Start | Verb::Pause | Verb::Resume => Grade::Reversible,
        Verb::Rollback | Verb::Archive => Grade::Costly,
        Verb::Stop => Grade::Irreversible {
            typed: key.to_owned(),
        },
    }
}

/// What will happen, to what, and how much traffic feels it.
fn question_about(verb: Verb, row: &Row) -> Text {
    let control = row.arms.iter().find(|arm| arm.control);
    let control = control.map_or("control", |arm| arm.name.as_str());
    let what = match verb {
        Verb::Stop => {
            format!("all of them get control ({control}) from the next call on, for good")
        }
        Verb::Rollback => {
            format!("all of them get control ({control}) at once, until it is resumed")
        }
        Verb::Archive => "it goes out of sight; its ledger stays".to_owned(),
        Verb::Start | Verb::Pause | Verb::Resume => return Text::new(),
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

/// What a rollback does while the daemon's database is away.
fn question_without_figures(key: &str) -> Text {
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, key),
        plain(
            ": the daemon's database is away; it gives everyone control at once, and the other daemons do when the database is back",
        ),
    ]);
    text
}

pub(super) fn done_text(done: &Done) -> Text {
    let mut text = Text::new();
    let repeated = if done.repeated {
        " (it had been carried out before the connection broke)"
    } else {
        ""
    };
    text.line([
        Span::new(Role::Good, "done"),
        plain(format!(": {}{repeated}", done.outcome)),
    ]);
    text
}
