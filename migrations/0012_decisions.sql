-- The decision engine looks often and says the same for days. A row is what was said from decided_at on; later looks
-- that say the same move looked_at and renew the evidence, until a day is over and the next row begins.
alter table experiment_decisions
    add column since timestamptz not null default now(),
    add column looked_at timestamptz not null default now();
comment on column experiment_decisions.since is 'when this decision was first made; equal to decided_at in the row of a change';
comment on column experiment_decisions.looked_at is 'the newest look that the row speaks of; its evidence is the evidence of that look';
comment on column experiment_decisions.evidence is 'thresholds, figures, gates, reasons, the sentence, and what the next look must remember';
