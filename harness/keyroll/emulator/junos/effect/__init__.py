"""What a committed configuration means for the router: intent, accounts, policies, keys in use."""
