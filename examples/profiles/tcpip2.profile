; TCPIP2: a target that runs servers, and the backup of the front end. It takes
; the DVIPA over when the front end is gone, and gives it back when it returns.

IPCONFIG SYSPLEXROUTING
    DYNAMICXCF 172.1.1.2 255.255.255.0 3

VIPADYNAMIC
   ; MOVEABLE and the mask let it create the address if it starts first.
   VIPABACKUP MOVEABLE IMMEDIATE 255.255.255.0 10.1.3.10
   INCLUDE distribute.member
ENDVIPADYNAMIC

; Its servers know the port and nothing of each other, nor of the DVIPA.
PORT 8443 TCP * SHAREPORT BIND 10.1.3.10
