"""From files of many kinds to rows of user, item, rating, time; a row that can't be read is named, never guessed."""
