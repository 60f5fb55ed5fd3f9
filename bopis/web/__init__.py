"""HTTP: the headless API for shop fronts, tills and partners, and the pages of headquarters, stores and customers."""
