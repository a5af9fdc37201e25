"""What changes the store: each command is a value that the writer applies, with SQL from `store` and decisions from
`rules`.

This room stands between routes and agents above, store and rules below: a lease, say, is a rule's choice and a few
statements in one transaction, and neither the rule nor the SQL should know of the other.
"""
