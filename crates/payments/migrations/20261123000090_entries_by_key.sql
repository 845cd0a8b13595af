-- Looks up each entry's transaction and account by its key. Joined as tables, the plan that a session keeps may read the
-- whole ledger at each posting: what was written has no statistics, and the ledger was small when the plan was made.
CREATE OR REPLACE FUNCTION payments.check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT e.seq INTO wrong
    FROM written e
    LEFT JOIN LATERAL (SELECT currency FROM payments.ledger_transactions WHERE seq = e.seq OFFSET 0) t ON true
    LEFT JOIN LATERAL (SELECT currency FROM payments.ledger_accounts WHERE id = e.account_id OFFSET 0) a ON true
    GROUP BY e.seq
    HAVING min(e.line) <> 1 OR max(e.line) <> count(*) OR NOT coalesce(bool_and(a.currency = t.currency), false)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % is not written as a whole, or not in one currency', wrong
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
