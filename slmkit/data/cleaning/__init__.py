"""The cleaning steps of the prepare stage: text repairs, filters, and checks of labels."""
