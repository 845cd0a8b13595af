-- Three letters, as before, without a regular expression: each new version of a row is checked anew.
ALTER TABLE payments.payments DROP CONSTRAINT payments_currency_check,
    ADD CONSTRAINT payments_currency_check
        CHECK (length(currency) = 3 AND translate(currency, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '') = '');
