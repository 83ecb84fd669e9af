cimport cython
from pronghorn.http.request cimport FieldSection as CFieldSection, RequestLine as CRequestLine

@cython.locals(parts=list, method_octets=bytes, target_octets=bytes, version_octets=bytes, target=str, path=str, query=str, rest=str)
cpdef object parse_request_line(bytes line, str scheme)
cpdef check_line_octets(bytes line)
@cython.locals(special=list, kept=list, name=bytes, value=bytes)
cpdef object parse_section(list lines, str version, object limits)
@cython.locals(fields=list, name=bytes, colon=bytes, value=bytes, line=bytes, known=tuple)
cpdef list parse_fields(list lines)
