SELECT 'a\b';
