"""Networks from files of other frameworks, without running anybody's code. No torch."""
