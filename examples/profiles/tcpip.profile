; TCPIP: the front end. It owns the DVIPA whenever it is up, and hands each new
; connection to the next target; it runs no server of its own.

IPCONFIG SYSPLEXROUTING
    DYNAMICXCF 172.1.1.1 255.255.255.0 3     ; this stack inside the group

VIPADYNAMIC
   VIPADEFINE 255.255.255.0 10.1.3.10
   INCLUDE distribute.member                 ; the same for its backup
ENDVIPADYNAMIC
