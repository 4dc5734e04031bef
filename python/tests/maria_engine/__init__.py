"""Django's MySQL with PyMySQL as its driver, which needs no compiler: an ENGINE of DATABASES."""
