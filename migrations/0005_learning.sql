-- The rewards ledger: one entry per change of a unit's outcome. A unit counts once, when its window closes;
-- entries before that record how the outcome came about (success, then revoked by a refund, ...).
create table experiment_rewards (
    experiment_id integer not null,
    unit_key bytea not null,
    entry smallint not null,
    kind smallint not null,
    lane smallint not null,
    arm smallint not null,
    version integer not null,
    reward_micro integer not null,
    at timestamptz not null,
    primary key (experiment_id, unit_key, entry)
);
comment on column experiment_rewards.entry is '0, 1, 2, ... per unit, in the order of folding';
comment on column experiment_rewards.kind is '0 outcome so far, 1 outcome so far went down (revoked), 2 window closed: final';
comment on column experiment_rewards.reward_micro is 'the unit''s outcome from this entry on, in millionths: integers make every sum exact in any order';
create unique index experiment_rewards_one_close on experiment_rewards (experiment_id, unit_key) where kind = 2;

-- Sufficient statistics. State = fold(ledger): pitbossd verify recomputes and compares. Alpha and beta are
-- derived from these and the prior, never stored.
create table experiment_bandit_state (
    experiment_id integer not null,
    lane smallint not null,
    arm smallint not null,
    version integer not null,
    assigned bigint not null default 0,
    exposed bigint not null default 0,
    resolved bigint not null default 0,
    reward_sum_micro bigint not null default 0,
    reward_sq_sum_micro bigint not null default 0,
    primary key (experiment_id, lane, arm, version)
);
comment on column experiment_bandit_state.resolved is 'matured n: units whose window has closed; pending = exposed - resolved';
comment on column experiment_bandit_state.reward_sq_sum_micro is 'sum of each resolved unit''s squared reward, each rounded to millionths';

-- Immutable, numbered publications of a lane. A later one never changes an earlier one; the primary key is the
-- compare-and-swap of the publisher.
create table experiment_policy_versions (
    experiment_id integer not null references experiments,
    lane smallint not null,
    version integer not null,
    revision bigint not null,
    published_at timestamptz not null,
    reason text not null,
    arms smallint[] not null,
    allocation double precision[] not null,
    resolved bigint[] not null,
    reward_sum_micro bigint[] not null,
    burn_in text,
    primary key (experiment_id, lane, version)
);
comment on column experiment_policy_versions.arms is 'open arms, ascending; the next three columns are in this order';
comment on column experiment_policy_versions.allocation is 'the exact probability with which each arm is drawn under this version: the propensity';
comment on column experiment_policy_versions.revision is 'the spec that was in force, so that a decision can be recomputed';

-- Per lane, arm, minute and event; event $assigned and $exposed count units, $reward counts closed windows.
create table experiment_minutes (
    experiment_id integer not null,
    lane smallint not null,
    arm smallint not null,
    minute timestamptz not null,
    event text not null,
    count bigint not null,
    sum double precision not null,
    sum_sq double precision not null,
    sketch bytea,
    primary key (experiment_id, minute, lane, arm, event)
);
comment on column experiment_minutes.sketch is 'mergeable quantile sketch of the values; written by the guardrail engine';
