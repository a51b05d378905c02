-- +goose Up
ALTER TABLE book ADD COLUMN touched timestamptz;
-- +goose StatementBegin
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.touched := now();
    RETURN NEW;
END;
$$;
-- +goose StatementEnd
CREATE TRIGGER touch BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION touch();

-- +goose Down
DROP TRIGGER touch ON book;
DROP FUNCTION touch;
ALTER TABLE book DROP COLUMN touched;
