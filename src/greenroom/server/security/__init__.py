"""Who may come in: origins, hosts, tokens, log-ins, proxies; what is kept out of logs; headers of answers."""
