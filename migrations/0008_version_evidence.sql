-- A policy version keeps all that its allocation was computed from, burn-in included, so that pitbossd verify
-- can compute it again bit for bit. Versions published before this had neither column; the defaults say so.
alter table experiment_policy_versions
    add column exposed bigint[] not null default '{}',
    add column running_for_ms bigint not null default 0;
comment on column experiment_policy_versions.exposed is 'exposed units of the lane when it was published, per arm in the order of arms';
comment on column experiment_policy_versions.running_for_ms is 'time since the experiment''s start when it was published';

comment on column experiment_events.outcome is
    '0 counted towards its unit, 1 late (after the window, or folded after it was closed), 2 unit had no exposure when it was folded, 3 over the per-unit cap, 4 before the exposure';
