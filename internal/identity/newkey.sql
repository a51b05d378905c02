-- A new key is published for a while before it signs, but not for longer than there is another one that can. The one
-- that signs until then stays public for as long as its last token is good.
WITH present AS (
    SELECT max(published_until) AS until, clock_timestamp() AS now
    FROM replank.signing_key WHERE published_until > clock_timestamp() AND signs_from <= clock_timestamp()
), planned AS (
    SELECT now, CASE WHEN until IS NULL THEN now
        ELSE greatest(now, least(now + $5::float8 * interval '1 second', until - $8::float8 * interval '1 second')) END AS start
    FROM present
), kept AS (
    UPDATE replank.signing_key k
    SET published_until = greatest(k.published_until, p.start + ($8::float8 + 60) * interval '1 second')
    FROM planned p
    WHERE k.published_until > p.now
)
INSERT INTO replank.signing_key (kid, public, private, sealed, published_at, signs_from, signs_until, published_until)
SELECT $1, $2, $3, $4, now, start, start + $6::float8 * interval '1 second',
       start + ($6::float8 + $7::float8) * interval '1 second'
FROM planned
RETURNING signs_from
