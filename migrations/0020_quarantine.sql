-- A quarantine is a hold on one arm: it gets no new units until the hold is released. The hold is the one truth of it,
-- so that whoever reads an experiment's arms reads in the same instant whether they are held. One mutation, which is one
-- instant, may hold several arms, and none of its columns tells two holds apart any more: holds have numbers.
alter table experiment_holds
    add column id bigint generated always as identity,
    add column arm smallint,
    drop constraint experiment_holds_pkey,
    add primary key (id),
    add constraint experiment_holds_quarantine_has_an_arm check ((kind = 'quarantine') = (arm is not null)),
    add constraint experiment_holds_arm_exists
        foreign key (experiment_id, arm) references experiment_arms (experiment_id, arm);
create index experiment_holds_in_force on experiment_holds (experiment_id) where released_at is null;
create unique index experiment_holds_one_quarantine_an_arm on experiment_holds (experiment_id, arm)
    where kind = 'quarantine' and released_at is null;
comment on column experiment_holds.arm is 'the arm that a quarantine holds; null for holds of the experiment''s state';
comment on column experiment_holds.kind is 'pause, rollback, stop or quarantine';
