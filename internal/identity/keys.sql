-- The time comes along in any case: everything about keys goes by the database's clock.
SELECT t.now, k.kid, k.public, k.private, k.sealed, k.signs_from, k.signs_until, k.published_until
FROM (SELECT clock_timestamp() AS now) t
LEFT JOIN replank.signing_key k ON k.published_until > t.now
ORDER BY k.signs_from, k.kid
