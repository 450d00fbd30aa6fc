-- What units in flight have shown so far, per lane, arm and version: `credit = "immediate"` and `"corrected"` learn
-- from it, and screens show it. The fold keeps it, pitbossd verify computes it again. The update fills it from the
-- ledger, so that a database that was written before this verifies.
alter table experiment_bandit_state
    add column early bigint not null default 0,
    add column early_sum_micro bigint not null default 0,
    add column early_sq_sum_micro bigint not null default 0;
comment on column experiment_bandit_state.early is
    'units in flight that have spoken: window open, outcome so far another than that of a unit without events';
comment on column experiment_bandit_state.early_sum_micro is 'sum of their outcomes so far';
comment on column experiment_bandit_state.early_sq_sum_micro is 'sum of each one''s squared outcome so far, each rounded to millionths';

-- How long a conversion takes is read from the entries of a recent span of time.
create index experiment_rewards_so_far on experiment_rewards (experiment_id, at) where kind <> 2;

with settled as (
    select e.id, r.spec -> 'reward' as reward, r.spec -> 'reward' -> 'outcome' as outcome
    from experiments e
    cross join lateral (
        select spec from experiment_revisions r
        where r.experiment_id = e.id order by r.revision desc limit 1
    ) r
    where e.started_at is not null
), silent as (
    select id, case when reward ->> 'direction' = 'decrease' then 1000000 - micro else micro end as micro
    from settled
    cross join lateral (
        select case when outcome ->> 'kind' = 'scaled' then
            floor((least(greatest((outcome ->> 'default')::float8, (outcome ->> 'min')::float8),
                         (outcome ->> 'max')::float8) - (outcome ->> 'min')::float8)
                / ((outcome ->> 'max')::float8 - (outcome ->> 'min')::float8) * 1000000 + 0.5)::bigint
        else 0 end as micro
    ) m
), newest as (
    select distinct on (r.experiment_id, r.unit_key)
        r.experiment_id, r.lane, r.arm, r.version, r.reward_micro::bigint as micro
    from experiment_rewards r
    join experiment_assignments a using (experiment_id, unit_key)
    where a.open
    order by r.experiment_id, r.unit_key, r.entry desc
)
insert into experiment_bandit_state as s
    (experiment_id, lane, arm, version, early, early_sum_micro, early_sq_sum_micro)
select n.experiment_id, n.lane, n.arm, n.version, count(*), sum(n.micro),
    sum((n.micro * n.micro + 500000) / 1000000)
from newest n
join silent on silent.id = n.experiment_id
where n.micro <> silent.micro
group by 1, 2, 3, 4
on conflict (experiment_id, lane, arm, version) do update set
    early = excluded.early,
    early_sum_micro = excluded.early_sum_micro,
    early_sq_sum_micro = excluded.early_sq_sum_micro;
