//! The form: typing into fields, steps, and the plan of what it says.

use bandit::spec::model::ExperimentSpec;

use crate::command::Id;
use crate::effect::Effect;
use crate::keymap::{Code, Key};
use crate::model::form::{FieldId, Form, Input, MAX_ARMS};
use crate::model::{Model, ScreenKind};

use super::{navigation, plan};

/// Open the form as it was left.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    navigation::push(model, ScreenKind::Form);
    Vec::new()
}

/// A key on the form; `false` if it is not for the field under the cursor.
pub(super) fn types(model: &mut Model, key: Key) -> bool {
    let form = &mut model.form;
    let Some(id) = form.focused() else {
        return false;
    };
    let words = form.words(id).len();
    match form.input_mut(id) {
        Some(Input::Text(field)) => {
            let command = key.ctrl && matches!(key.code, Code::Char('n' | 'x' | 'p' | 'g' | 'c'));
            let edited = !command && field.edit(key);
            if edited {
                form.problems.retain(|(field, _)| *field != id);
            }
            edited
        }
        Some(Input::Choice(at)) => choose(at, words, key),
        None => false,
    }
}

/// Left, right and space go round; other letters do nothing, but are not commands either.
fn choose(at: &mut usize, words: usize, key: Key) -> bool {
    match key.code {
        Code::Left if words > 0 => *at = (*at + words - 1) % words,
        Code::Right | Code::Char(' ') if words > 0 => *at = (*at + 1) % words,
        Code::Char(_) => return !key.ctrl,
        _ => return false,
    }
    true
}

/// A text was pasted into the field under the cursor.
pub(super) fn paste(model: &mut Model, text: &str) {
    let form = &mut model.form;
    if let Some(id) = form.focused()
        && let Some(Input::Text(field)) = form.input_mut(id)
    {
        field.insert(text);
    }
}

/// The form's own commands.
pub(super) fn run(model: &mut Model, id: Id) -> Vec<Effect> {
    let form = &mut model.form;
    match id {
        Id::NextField if form.focus + 1 < form.on_screen().len() => form.focus += 1,
        Id::NextField | Id::NextStep => return next_step(model),
        Id::PreviousField if form.focus > 0 => form.focus -= 1,
        Id::PreviousField => {
            previous_step(form);
            form.focus = form.on_screen().len().saturating_sub(1);
        }
        Id::PreviousStep => previous_step(form),
        Id::AddArm => add_arm(model),
        Id::RemoveArm => remove_arm(model),
        Id::ClearForm => model.form = Form::default(),
        Id::PlanForm => return plan_form(model),
        _ => {}
    }
    Vec::new()
}

/// On to the next step, if this one is right; after the last step comes the plan.
fn next_step(model: &mut Model) -> Vec<Effect> {
    let problems = wanted(model).err().unwrap_or_default();
    let form = &mut model.form;
    let step = form.step;
    form.problems = problems;
    form.problems.retain(|(field, _)| field.step() == step);
    if let Some((field, _)) = form.problems.first() {
        let field = *field;
        form.go_to(field);
        return Vec::new();
    }
    match step.next() {
        Some(next) => {
            form.step = next;
            form.focus = 0;
            Vec::new()
        }
        None => plan_form(model),
    }
}

fn previous_step(form: &mut Form) {
    if let Some(step) = form.step.previous() {
        form.step = step;
    }
    form.focus = 0;
}

fn add_arm(model: &mut Model) {
    if !model.form.add_arm() {
        model.note = Some(format!("{MAX_ARMS} arms at most; a file takes 64"));
    }
}

fn remove_arm(model: &mut Model) {
    let removed = match model.form.focused() {
        Some(FieldId::ArmName(arm) | FieldId::ArmConfig(arm)) => model.form.remove_arm(arm),
        _ => false,
    };
    if !removed {
        model.note = Some("put the cursor on an arm; two arms stay".to_owned());
    }
}

/// What the form asks for: something new. A key that is taken would make it an edit of what runs under that key.
fn wanted(model: &Model) -> Result<ExperimentSpec, Vec<(FieldId, String)>> {
    let spec = model.form.spec()?;
    match model.data.rows.get(spec.key.as_str()) {
        None => Ok(spec),
        Some(row) => {
            let taken = format!("{} exists ({}): choose another key", row.key, row.state);
            Err(vec![(FieldId::Key, taken)])
        }
    }
}

fn plan_form(model: &mut Model) -> Vec<Effect> {
    match wanted(model) {
        Ok(spec) => {
            let text = bandit::spec::to_toml(&spec);
            let key = spec.key.to_string();
            plan::from_form(model, &key, text)
        }
        Err(problems) => {
            let count = problems.len();
            if let Some((field, _)) = problems.first() {
                model.form.go_to(*field);
            }
            model.form.problems = problems;
            model.note = Some(format!("{count} to correct before it can be planned"));
            Vec::new()
        }
    }
}
