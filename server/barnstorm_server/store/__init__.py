"""The only room that knows SQL: one module for each aggregate, the tables, the migrations, the writer."""
