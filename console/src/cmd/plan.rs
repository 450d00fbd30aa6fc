//! `pitboss plan`: what a file would change and what that means, shown as the console's plan screen shows it.

use protocol::plans::{ApplyRequest, Change, ChangeKind, FieldChange, PlanReply, PlanRequest};
use protocol::transport;
use uuid::Uuid;

use super::daemon::Daemon;
use super::failure::counted;
use super::file;
use super::{Exit, Failure};
use crate::cli::PlanArgs;
use crate::output::{self, Answer, Form, Role, Span, Text, plain, versioned};

/// Wide enough for `arm "recommendations".config`; longer paths push their own line only.
const MAX_PATH_COLUMN: usize = 34;

/// Room for a duration, a share or a short list; longer values push their own line only.
const MAX_VALUE_COLUMN: usize = 18;

/// A frame of the control socket holds 1 MiB; the rest of the request is small.
const MAX_FILE_BYTES: usize = 1024 * 1024 - 4096;

pub(super) async fn run(daemon: &Daemon, args: &PlanArgs) -> Result<Exit, Failure> {
    let request = request(args)?;
    let reply = ask(daemon, request.clone()).await?;
    let mut text = text(&request.file, &reply);
    if reply.refused.is_empty() && !reply.changes.is_empty() {
        text.blank();
        text.say(format!(
            "Nothing was changed. `pitboss apply` carries it out as long as the revision is {}.",
            reply.base_revision
        ));
    }
    let answer = Answer {
        text,
        json: versioned(&reply),
    };
    output::answer(&answer, Form::from_flag(args.reading.json))?;
    Ok(verdict(&reply))
}

/// Whether the plan could be applied at all.
pub(super) fn verdict(reply: &PlanReply) -> Exit {
    if reply.refused.is_empty() {
        Exit::Done
    } else {
        Exit::Refused
    }
}

/// What to ask, from the command line and the file.
pub(super) fn request(args: &PlanArgs) -> Result<PlanRequest, Failure> {
    let file = file::read(args.file.path())?;
    if file.text.len() > MAX_FILE_BYTES {
        return Err(Failure::Usage(format!(
            "{} has {} bytes and at most {MAX_FILE_BYTES} can be sent; split it: experiments that a file \
             does not mention are left alone",
            file.name,
            file.text.len()
        )));
    }
    let mut request = plan_request(&file.name, file.text);
    request.prune = args.prune;
    request.release_holds = args.release_holds;
    Ok(request)
}

/// A plan of `text`, without stopping or releasing anything.
pub fn plan_request(file: &str, text: String) -> PlanRequest {
    PlanRequest {
        file: file.to_owned(),
        text,
        prune: false,
        release_holds: false,
    }
}

/// The request that carries a plan out, with an id of its own.
pub fn apply_request(plan: PlanRequest, base_revision: u64, reason: &str) -> ApplyRequest {
    ApplyRequest {
        plan,
        base_revision,
        reason: reason.to_owned(),
        request_id: Uuid::now_v7(),
    }
}

pub(super) async fn ask(daemon: &Daemon, request: PlanRequest) -> Result<PlanReply, Failure> {
    let context = Daemon::patience();
    Ok(daemon.client.plan(context, request).await??)
}

/// The whole plan for people.
pub(super) fn text(file: &str, reply: &PlanReply) -> Text {
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, format!("Plan of {file}")),
        plain(format!(" against revision {}", reply.base_revision)),
    ]);
    text.line(tally(reply));
    for change in &reply.changes {
        text.blank();
        text.append(change_text(change));
    }
    if !reply.not_declared.is_empty() {
        text.blank();
        text.say(format!(
            "not in this file and left alone (--prune stops them): {}",
            reply.not_declared.join(", ")
        ));
    }
    if !reply.refused.is_empty() {
        text.blank();
        text.line([Span::new(Role::Bad, "It cannot be applied:")]);
        for why in &reply.refused {
            text.line([plain("  - "), plain(why)]);
        }
    }
    text
}

/// Whether a hold is all there is to show: applying changes nothing of it.
fn only_held(change: &Change) -> bool {
    change.kind == ChangeKind::Change && change.fields.is_empty() && !change.holds.is_empty()
}

/// `1 refused, 1 add, 2 change, 1 STOP, 1 held, 37 unchanged; 2 warnings`
fn tally(reply: &PlanReply) -> Vec<Span> {
    let of = |kind| {
        let alike = reply.changes.iter().filter(|c| c.kind == kind);
        alike.filter(|change| !only_held(change)).count()
    };
    let mut parts = Vec::new();
    if !reply.refused.is_empty() {
        let refused = format!("{} refused", reply.refused.len());
        parts.push(Span::new(Role::Bad, refused));
    }
    for (kind, role, word) in [
        (ChangeKind::Add, Role::Good, "add"),
        (ChangeKind::Change, Role::Warn, "change"),
        (ChangeKind::Stop, Role::Bad, "STOP"),
        (
            ChangeKind::Unknown,
            Role::Warn,
            "of a kind this build does not know",
        ),
    ] {
        if of(kind) > 0 {
            parts.push(Span::new(role, format!("{} {word}", of(kind))));
        }
    }
    let held = reply.changes.iter().filter(|c| only_held(c)).count();
    if held > 0 {
        parts.push(Span::new(Role::Warn, format!("{held} held")));
    }
    if parts.is_empty() {
        parts.push(plain("no change"));
    }
    parts.push(plain(format!("{} unchanged", reply.unchanged.len())));
    let mut line = Vec::new();
    for part in parts {
        if !line.is_empty() {
            line.push(plain(", "));
        }
        line.push(part);
    }
    let warnings = reply.changes.iter().flat_map(|c| &c.effects);
    match warnings.filter(|effect| effect.warning).count() {
        0 => {}
        count => line.push(Span::new(
            Role::Warn,
            format!("; {}", counted(count, "warning")),
        )),
    }
    line
}

fn change_text(change: &Change) -> Text {
    let mut text = Text::new();
    let (role, sign, word) = match change.kind {
        ChangeKind::Add => (Role::Good, "+", "new"),
        ChangeKind::Change => (Role::Warn, "~", ""),
        ChangeKind::Stop => (Role::Bad, "-", "STOP"),
        ChangeKind::Unknown => (Role::Warn, "?", ""),
    };
    text.line([
        Span::new(role, sign),
        plain(" "),
        Span::new(Role::Strong, &change.key),
        plain("  "),
        Span::new(role, word),
    ]);
    text.append(fields_text(change));
    for effect in &change.effects {
        let (mark, role) = if effect.warning {
            ("  ! ", Role::Warn)
        } else {
            ("    ", Role::Plain)
        };
        text.line([
            Span::new(role, mark),
            plain("effect: "),
            Span::new(role, &effect.text),
        ]);
    }
    for part in &change.not_active {
        text.line([
            plain("    "),
            Span::new(Role::Warn, "not active yet: "),
            plain(part),
        ]);
    }
    for hold in &change.holds {
        text.line([plain("    "), Span::new(Role::Warn, "held: "), plain(hold)]);
    }
    text
}

/// One line a field, its columns aligned within the experiment. A new experiment has no `before`.
fn fields_text(change: &Change) -> Text {
    let widest = |of: fn(&FieldChange) -> &str, most: usize| {
        let widths = change.fields.iter().map(|field| of(field).chars().count());
        widths.filter(|width| *width <= most).max().unwrap_or(0)
    };
    let path_width = widest(|field| &field.path, MAX_PATH_COLUMN);
    let from_width = widest(|field| &field.from, MAX_VALUE_COLUMN);
    let mut text = Text::new();
    for FieldChange { path, from, to } in &change.fields {
        let path = format!("    {path:path_width$}  ");
        if change.kind == ChangeKind::Add {
            text.line([plain(path), plain(to)]);
        } else {
            let from = format!("{from:from_width$}  ->  ");
            text.line([plain(path), plain(from), plain(to)]);
        }
    }
    text
}

/// How long an apply may take: hundreds of experiments in one transaction.
pub(super) fn applying() -> tarpc::context::Context {
    transport::within(std::time::Duration::from_mins(2))
}
