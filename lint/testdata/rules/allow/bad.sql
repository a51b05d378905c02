-- replank:allow drop-column because nothing here drops one
-- replank:allow no-such-rule because there is none
-- replank:allow drop-table
SELECT 1;
