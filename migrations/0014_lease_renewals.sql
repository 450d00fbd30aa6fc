-- A leader renews its lease every second or two, so the newest renewal is the database's pulse: a replica that has it
-- has everything that was committed before. By the primary's clock, so nobody's clocks are compared.
alter table leases add column renewed_at timestamptz not null default now();
comment on column leases.renewed_at is 'when it was taken or renewed last; how far a replica is behind is told from it';
