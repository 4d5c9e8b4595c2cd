"""What the smaller commands do: looking at recipes and runs, own data, doctor, chat. Imported when one is called."""
