select chat.verify_audit(%(known_head)s) as verdict
