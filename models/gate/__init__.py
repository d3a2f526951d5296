"""Whether a challenger may take a champion's place: values in, a verdict out. It changes nothing and serves nothing."""
