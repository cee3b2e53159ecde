"""What is odd about utterances, found in columns: a million rows in about a minute."""
