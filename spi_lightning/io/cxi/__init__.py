"""CXI, the Coherent X-ray Imaging format (cxidb.org): patterns and selections, read and written."""
