"""What a simulated run leaves behind: its records, the folder that they are kept in, and a report with pictures.

Nothing here simulates, and nothing here imports the programs of a tier: a result is read where it was not made.
"""
