ALTER TABLE invoices ALTER COLUMN id TYPE bigint;
ALTER TABLE entries ALTER COLUMN invoice_id TYPE bigint;
ALTER TABLE deliveries ALTER COLUMN invoice_id TYPE bigint;
