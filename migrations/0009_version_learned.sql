-- What an arm's policy learned from is no longer the whole counts alone: scaled rewards need the squares, and credit
-- and memory make fractions of them. A policy version keeps these numbers too, so that pitbossd verify can compute it
-- again bit for bit. Versions published before this have none; they learned from the counts, under edition 0.
alter table experiment_policy_versions
    add column learned_n double precision[] not null default '{}',
    add column learned_sum double precision[] not null default '{}',
    add column learned_sum_sq double precision[] not null default '{}',
    add column edition smallint not null default 0;
comment on column experiment_policy_versions.learned_n is 'units that the policy learned from, after credit and memory, per arm in the order of arms; empty: the whole counts';
comment on column experiment_policy_versions.learned_sum is 'sum of their rewards, each in 0..1';
comment on column experiment_policy_versions.learned_sum_sq is 'sum of their squared rewards';
comment on column experiment_policy_versions.edition is 'which edition of the policies computed it: 0 only thompson and fixed had an engine, others split evenly';
