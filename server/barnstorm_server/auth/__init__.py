"""Who may do what: keys, tokens and the one table of policies. Knows neither routes nor store."""
