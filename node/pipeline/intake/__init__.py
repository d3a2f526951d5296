"""An instance in: checked, made durable, recorded and acknowledged; and what is done about one that came before."""
