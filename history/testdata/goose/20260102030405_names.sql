-- +goose ENVSUB ON
-- +goose Up
INSERT INTO author (id, name) VALUES (1, '${HISTORY_TEST_AUTHOR} of ${HISTORY_TEST_TOWN:-Würzburg}');
-- +goose ENVSUB OFF
INSERT INTO author (id, name) VALUES (2, '${NOT_REPLACED}');
-- +goose Down
DELETE FROM author WHERE id IN (1, 2);
