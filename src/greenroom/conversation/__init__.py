"""One exchange: from what the visitor said to the end of the spoken reply."""
