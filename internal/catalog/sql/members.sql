SELECT pg_get_userbyid(roleid)::text, pg_get_userbyid(member)::text, pg_get_userbyid(grantor)::text, admin_option FROM pg_auth_members ORDER BY 1, 2, 3
